//! Security schemes and what operations require of them.

use model::api::{ParameterLocation, SecurityRequirement};

use crate::format::{Format, clip};
use crate::node::Node;
use crate::report::Report;

/// A way to authenticate that the definition names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityScheme {
    pub name: String,
    pub kind: SecuritySchemeKind,
}

/// How a scheme authenticates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecuritySchemeKind {
    ApiKey {
        location: ParameterLocation,
        name: String,
    },
    /// A scheme of the `Authorization` header in small letters: `basic`, `bearer`.
    Http {
        scheme: String,
    },
    OAuth2,
    OpenIdConnect {
        url: String,
    },
    MutualTls,
}

/// The schemes of a definition.
pub(crate) fn schemes(root: &Node<'_>, format: Format, report: &mut Report) -> Vec<SecurityScheme> {
    let list = match format {
        Format::OpenApi20 => root.get("securityDefinitions"),
        Format::OpenApi30 | Format::OpenApi31 => {
            root.get("components").and_then(|c| c.get("securitySchemes"))
        }
    };
    let Some(list) = list else { return Vec::new() };
    let mut schemes = Vec::new();
    for (name, scheme) in list.names(report) {
        let Some(scheme) = scheme.resolve(report) else { continue };
        match kind(&scheme) {
            Ok(kind) => schemes.push(SecurityScheme { name: name.to_owned(), kind }),
            Err(problem) => report.warn(&scheme, "", format!("{problem}; the security scheme is left out")),
        }
    }
    schemes
}

fn kind(scheme: &Node<'_>) -> Result<SecuritySchemeKind, String> {
    let text = |key: &str| scheme.get(key).and_then(|node| node.text());
    let needed = |key: &str| text(key).ok_or_else(|| format!("`{key}` is missing"));
    match needed("type")?.to_ascii_lowercase().as_str() {
        "apikey" => {
            let location = match needed("in")?.to_ascii_lowercase().as_str() {
                "header" => ParameterLocation::Header,
                "query" => ParameterLocation::Query,
                "cookie" => ParameterLocation::Cookie,
                other => {
                    return Err(format!(
                        "an API key is in `header`, `query` or `cookie`, not in `{}`",
                        clip(other)
                    ));
                }
            };
            Ok(SecuritySchemeKind::ApiKey { location, name: needed("name")? })
        }
        "basic" => Ok(SecuritySchemeKind::Http { scheme: "basic".to_owned() }),
        "http" => Ok(SecuritySchemeKind::Http { scheme: needed("scheme")?.to_ascii_lowercase() }),
        "oauth2" => Ok(SecuritySchemeKind::OAuth2),
        "openidconnect" => {
            Ok(SecuritySchemeKind::OpenIdConnect { url: text("openIdConnectUrl").unwrap_or_default() })
        }
        "mutualtls" => Ok(SecuritySchemeKind::MutualTls),
        other => Err(format!("the type `{}` is not known", clip(other))),
    }
}

/// Alternatives under `security`. None at all is `Some` of nothing: the operation is open.
pub(crate) fn requirements(node: &Node<'_>, report: &mut Report) -> Option<Vec<Vec<SecurityRequirement>>> {
    let alternatives = if node.value.is_object() {
        report.warn(node, "", "expected a list, found a mapping; it is read as a list of one");
        vec![node.clone()]
    } else if node.value.is_array() {
        node.items(report)
    } else {
        report.warn(node, "", "expected a list of security requirements; it is left out");
        return None;
    };
    let mut list = Vec::new();
    let mut skipped = false;
    for alternative in alternatives {
        if let Some(scheme) = alternative.as_str() {
            report.warn(
                &alternative,
                "",
                "expected a mapping of schemes to scopes; it is read as one without scopes",
            );
            list.push(vec![SecurityRequirement { scheme: scheme.to_owned(), scopes: Vec::new() }]);
            continue;
        }
        if !alternative.value.is_object() {
            report.warn(&alternative, "", "expected a mapping of schemes to scopes; it is left out");
            skipped = true;
            continue;
        }
        let schemes = alternative.names(report).into_iter().map(|(scheme, scopes)| {
            let scopes = scopes.items(report).iter().filter_map(Node::text).collect();
            SecurityRequirement { scheme: scheme.to_owned(), scopes }
        });
        list.push(schemes.collect());
    }
    // Nonsense must not make an operation open to all.
    if skipped && list.is_empty() { None } else { Some(list) }
}
