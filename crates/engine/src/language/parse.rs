//! From the text of a variable to what it stands for.

use http::HeaderName;
use model::{Diagnostic, diagnostic::nearest};

use super::{
    LanguageCx, Selector, SelectorKind, Variable, names, select,
    system::System,
    variable::{Authorized, Consumer, Message, Part, Source},
};

/// Longest name of anything; expressions have limits of their own.
const LONGEST: usize = 8_192;

/// Compiles what is between `${` and `}`.
pub(super) fn variable(inner: &str, cx: &mut LanguageCx) -> Result<Variable, Diagnostic> {
    if inner.is_empty() || inner.len() > LONGEST {
        return Err(Diagnostic::error("", "found `${}` without a name, expected a variable")
            .help("write $${ for a literal ${, or name a variable, such as ${request.path}"));
    }
    Ok(Variable { text: inner.into(), source: source(inner, cx)? })
}

fn source(inner: &str, cx: &mut LanguageCx) -> Result<Source, Diagnostic> {
    if let Some(system) = System::by_name(inner) {
        return Ok(Source::System(system));
    }
    for (root, is_request) in [("request", true), ("response", false)] {
        let Some(rest) = inner.strip_prefix(root) else { continue };
        if let Some(rest) = rest.strip_prefix('.') {
            return if is_request { of_request(inner, rest, cx) } else { of_response(inner, rest, cx) };
        }
        if let Some((name, rest)) = rest.strip_prefix('[').and_then(|rest| rest.split_once("].")) {
            if !names::is_plain(name) {
                return Err(Diagnostic::error(
                    "",
                    format!("found `{name}` in `${{{inner}}}`, expected the name of a call-out"),
                ));
            }
            let (message, known) = if is_request {
                (Message::CallRequest(name.into()), names::OF_CALL)
            } else {
                (Message::CallResponse(name.into()), names::OF_RESPONSE)
            };
            return match part(inner, rest, cx)? {
                Some(part) if fits(&message, &part) => Ok(Source::Message(message, part)),
                _ => Err(names::unknown(inner, word(rest), known)),
            };
        }
    }
    if let Some(field) = inner.strip_prefix("customTransactionFields.").filter(|field| !field.is_empty()) {
        return Ok(Source::Field(field.into()));
    }
    if !names::is_plain(inner) || names::roots().any(|root| root == inner) {
        let known: Vec<&str> = names::roots().collect();
        return Err(names::unknown(inner, inner, &known));
    }
    let alias = cx.aliases.get(inner).cloned();
    if alias.is_none() && !cx.variables.contains(inner) {
        let mut known: Vec<&str> = names::roots().collect();
        known.extend(cx.variables.iter().chain(cx.aliases.keys()).map(String::as_str));
        if let Some(near) = nearest(inner, known) {
            let warning = Diagnostic::warning(
                "",
                format!("found `${{{inner}}}`, which is empty unless a policy sets this variable"),
            );
            let warning = warning.help(format!("did you mean `{near}`?"));
            cx.warnings.push(warning);
        }
    }
    Ok(Source::Named(inner.into(), alias))
}

/// The name up to the next delimiter.
fn word(rest: &str) -> &str {
    &rest[..rest.find(['.', '[']).unwrap_or(rest.len())]
}

fn of_request(whole: &str, rest: &str, cx: &LanguageCx) -> Result<Source, Diagnostic> {
    if rest == "correlationID" {
        return Ok(Source::CorrelationId);
    }
    if let Some(rest) = rest.strip_prefix("authorization.") {
        if let Some(claim) = rest.strip_prefix("claims.").filter(|claim| !claim.is_empty()) {
            return Ok(Source::Claim(claim.into()));
        }
        return Ok(Source::Authorization(match rest {
            "clientId" => Authorized::ClientId,
            "userName" => Authorized::UserName,
            "groups" => Authorized::Groups,
            "apiKey" => Authorized::ApiKey,
            "incomingToken" => Authorized::IncomingToken,
            "issuer" => Authorized::Issuer,
            "audience" => Authorized::Audience,
            _ => return Err(names::unknown(whole, rest, names::OF_AUTHORIZATION)),
        }));
    }
    if let Some(rest) = rest.strip_prefix("application.") {
        if let Some(name) = rest.strip_prefix("attributes.").filter(|name| !name.is_empty()) {
            return Ok(Source::Application(Consumer::Attribute(name.into())));
        }
        return Ok(Source::Application(match rest {
            // Applications have unique names, and nothing else to tell them apart.
            "id" | "name" => Consumer::Name,
            "description" => Consumer::Description,
            "version" => Consumer::Version,
            _ => return Err(names::unknown(whole, rest, names::OF_APPLICATION)),
        }));
    }
    match part(whole, rest, cx)? {
        Some(part) if fits(&Message::Request, &part) => Ok(Source::Message(Message::Request, part)),
        _ => Err(names::unknown(whole, word(rest), names::OF_REQUEST)),
    }
}

fn of_response(whole: &str, rest: &str, cx: &LanguageCx) -> Result<Source, Diagnostic> {
    match part(whole, rest, cx)? {
        Some(part) if fits(&Message::Response, &part) => Ok(Source::Message(Message::Response, part)),
        _ => Err(names::unknown(whole, word(rest), names::OF_RESPONSE)),
    }
}

/// Whether a message has such a part: requests have no status, responses no method and path.
fn fits(message: &Message, part: &Part) -> bool {
    match part {
        Part::StatusCode | Part::StatusMessage => {
            matches!(message, Message::Response | Message::CallResponse(_))
        }
        Part::PathParameter(_) => *message == Message::Request,
        Part::Query(_) | Part::Path | Part::PathRegex(_) | Part::Method => {
            matches!(message, Message::Request | Message::CallRequest(_))
        }
        Part::Header(_) | Part::Payload | Part::Selected(_) => true,
    }
}

fn part(whole: &str, rest: &str, cx: &LanguageCx) -> Result<Option<Part>, Diagnostic> {
    match rest {
        "path" => return Ok(Some(Part::Path)),
        "httpMethod" => return Ok(Some(Part::Method)),
        "statusCode" => return Ok(Some(Part::StatusCode)),
        "statusMessage" => return Ok(Some(Part::StatusMessage)),
        "payload" => return Ok(Some(Part::Payload)),
        _ => {}
    }
    let Some((kind, name)) = rest.split_once('.').filter(|(_, name)| !name.is_empty()) else {
        return Ok(None);
    };
    Ok(Some(match kind {
        "headers" | "header" => Part::Header(header_name(name)?),
        "query" => Part::Query(name.into()),
        "path" => match expression(name, "regex") {
            Some(pattern) => Part::PathRegex(select::regex(pattern)?),
            None => Part::PathParameter(name.into()),
        },
        "payload" => {
            let kinds = [
                ("jsonPath", SelectorKind::JsonPath),
                ("xpath", SelectorKind::XPath),
                ("regex", SelectorKind::Regex),
            ];
            let found = kinds.iter().find_map(|(word, kind)| Some((*kind, expression(name, word)?)));
            let Some((kind, text)) = found else {
                return Err(names::unknown(whole, name, names::OF_PAYLOAD));
            };
            Part::Selected(Box::new(Selector::compile(kind, text, &cx.namespaces)?))
        }
        _ => return Ok(None),
    }))
}

/// The name of a header, in any case.
pub(super) fn header_name(name: &str) -> Result<HeaderName, Diagnostic> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Diagnostic::error("", format!("found `{name}`, expected the name of a header")))
}

/// What is between the brackets of `word[…]`.
pub(super) fn expression<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.strip_prefix(word)?.strip_prefix('[')?.strip_suffix(']')
}
