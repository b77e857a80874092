//! Request and response conversion: XML into JSON and JSON into XML. How it is done is in `engine::convert`.

use std::borrow::Cow;

use engine::{
    CompileCx, Compiled, Exchange, Filter, Headers, Needs, Outcome, Payload, Policy, Reason, Rejection,
    Stage, Step,
    convert::{json_to_xml, xml_to_json},
};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use model::{ByteSize, Diagnostic, settings::ContentTypes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::{self, Kind};

/// Converts the body of requests between XML and JSON before they go to the upstream.
///
/// Attributes are keys that start with `@`, the text of an element with attributes or children is the key `#text`,
/// and elements of the same name beside each other are a list. Namespace prefixes stay as they are. XML with a
/// document type is refused, as are bodies nested deeper than 128.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestConversion {
    /// What the body becomes. The Content-Type changes with it.
    to: ConversionFormat,
    /// Content types that are converted; `*` stands for anything, as in `application/*+xml`. Bodies of other types
    /// pass as they are. Default: everything that is XML, or everything that is JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    content_types: Vec<String>,
    /// Name of the element around JSON that has no root of its own: a list, a single value, an object with several
    /// keys. An object with one key is its own root.
    #[serde(default = "default_root")]
    root: String,
    /// Whether texts in XML stay texts in JSON. When off, `12`, `true` and `null` become a number, a truth value and
    /// null, and an empty element becomes null; numbers that would not come out as they are stay texts.
    #[serde(default = "yes")]
    keep_string: bool,
    /// Largest body that is converted, and the largest that may come out. Others are refused.
    #[serde(default = "default_size")]
    max_size: ByteSize,
}

/// Converts the body of responses between XML and JSON before they go to the client.
///
/// The rules are those of `requestConversion`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponseConversion {
    /// What the body becomes. The Content-Type changes with it.
    to: ConversionFormat,
    /// Content types that are converted; `*` stands for anything, as in `application/*+xml`. Bodies of other types
    /// pass as they are. Default: everything that is XML, or everything that is JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    content_types: Vec<String>,
    /// Name of the element around JSON that has no root of its own: a list, a single value, an object with several
    /// keys. An object with one key is its own root.
    #[serde(default = "default_root")]
    root: String,
    /// Whether texts in XML stay texts in JSON. When off, `12`, `true` and `null` become a number, a truth value and
    /// null, and an empty element becomes null; numbers that would not come out as they are stay texts.
    #[serde(default = "yes")]
    keep_string: bool,
    /// Largest body that is converted, and the largest that may come out. For others the client gets an error.
    #[serde(default = "default_size")]
    max_size: ByteSize,
}

/// What a body becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ConversionFormat {
    /// `application/json`.
    Json,
    /// `application/xml`.
    Xml,
}

impl ConversionFormat {
    /// What becomes it.
    const fn source(self) -> Kind {
        match self {
            Self::Json => Kind::Xml,
            Self::Xml => Kind::Json,
        }
    }
}

fn default_root() -> String {
    "root".to_owned()
}

fn yes() -> bool {
    true
}

fn default_size() -> ByteSize {
    ByteSize::mib(8)
}

pub static REQUEST: Reason = Reason::new(
    "request_not_convertible",
    StatusCode::BAD_REQUEST,
    "The body of the request cannot be converted: it is not what its Content-Type says, or too large.",
);
pub static RESPONSE: Reason = Reason::upstream(
    "response_not_convertible",
    StatusCode::BAD_GATEWAY,
    "The body of the response cannot be converted: it is not what its Content-Type says, or too large.",
);

impl Policy for RequestConversion {
    const TYPE: &'static str = "requestConversion";
    const STAGE: Stage = Stage::RequestProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&REQUEST];
    const POSTURE: &'static str = "Bodies are read with limits on size and depth; document types and entities are refused, so that nothing is fetched or unfolded. A body that cannot be converted is refused and never goes on half converted.";
    const EXAMPLE: &'static str = "to: xml\nroot: order\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let Self { to, content_types, root, keep_string, max_size } = self;
        Ok(Compiled::filter(RequestConverter(Converter::new(
            to,
            &content_types,
            root,
            keep_string,
            max_size,
        )?)))
    }
}

impl Policy for ResponseConversion {
    const TYPE: &'static str = "responseConversion";
    const STAGE: Stage = Stage::ResponseProcessing;
    const REPEATABLE: bool = true;
    const REASONS: &'static [&'static Reason] = &[&RESPONSE];
    const POSTURE: &'static str = "Bodies are read with limits on size and depth; document types and entities are refused, so that nothing is fetched or unfolded. A body that cannot be converted is refused and never goes on half converted.";
    const EXAMPLE: &'static str = "to: json\nkeepString: false\n";

    fn compile(self, _: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
        let Self { to, content_types, root, keep_string, max_size } = self;
        Ok(Compiled::filter(ResponseConverter(Converter::new(
            to,
            &content_types,
            root,
            keep_string,
            max_size,
        )?)))
    }
}

struct RequestConverter(Converter);
struct ResponseConverter(Converter);

impl Filter for RequestConverter {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let done = self.0.convert(
            &exchange.snapshot.settings.content_types,
            &mut exchange.headers,
            exchange.request_payload.as_mut(),
        );
        Step::Done(done.map_err(|problem| Rejection::new(&REQUEST).detail(problem)))
    }

    fn needs(&self) -> Needs {
        Needs { request_body: true, ..Needs::default() }
    }
}

impl Filter for ResponseConverter {
    fn response<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        let done = self.0.convert(
            &exchange.snapshot.settings.content_types,
            &mut exchange.response_headers,
            exchange.response_payload.as_mut(),
        );
        Step::Done(done.map_err(|problem| Rejection::new(&RESPONSE).detail(problem)))
    }

    fn needs(&self) -> Needs {
        Needs { response: true, response_body: true, ..Needs::default() }
    }
}

#[derive(Debug)]
struct Converter {
    to: ConversionFormat,
    /// Empty for everything that is of the kind that is converted.
    content_types: Vec<String>,
    root: String,
    keep_string: bool,
    max_size: usize,
}

impl Converter {
    fn new(
        to: ConversionFormat,
        content_types: &[String],
        root: String,
        keep_string: bool,
        max_size: ByteSize,
    ) -> Result<Self, Diagnostic> {
        for (index, written) in content_types.iter().enumerate() {
            if !media::is_range(written) {
                return Err(Diagnostic::error(
                    format!("contentTypes[{index}]"),
                    format!(
                        "found `{written}`, expected a media type such as `application/xml` or `*/*+xml`"
                    ),
                ));
            }
        }
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !root.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || !root.chars().all(valid) {
            return Err(Diagnostic::error(
                "root",
                format!(
                    "found `{root}`, expected the name of an XML element without a prefix, such as `order`"
                ),
            ));
        }
        let max_size = max_size.as_usize();
        if max_size == 0 {
            return Err(Diagnostic::error("maxSize", "found 0, expected a size such as `8MiB`"));
        }
        let content_types = content_types.iter().map(|range| media::essence(range)).collect();
        Ok(Self { to, content_types, root, keep_string, max_size })
    }

    /// Whether bodies of this type are converted.
    fn is_for(&self, media_type: &str, types: &ContentTypes) -> bool {
        if self.content_types.is_empty() {
            return media::kind(types, media_type) == Some(self.to.source());
        }
        self.content_types.iter().any(|range| media::covers(range, media_type) > 0)
    }

    fn convert(
        &self,
        types: &ContentTypes,
        headers: &mut Headers,
        payload: Option<&mut Payload>,
    ) -> Result<Outcome, Cow<'static, str>> {
        let Some(payload) = payload.filter(|payload| !payload.bytes().is_empty()) else {
            return Ok(Outcome::Skipped);
        };
        let Some(media_type) = media::of(headers) else { return Ok(Outcome::Skipped) };
        if !self.is_for(&media_type, types) {
            return Ok(Outcome::Skipped);
        }
        if media::is_encoded(headers) {
            return Err("expected a body without Content-Encoding, found one".into());
        }
        if payload.bytes().len() > self.max_size {
            return Err(
                format!("found {} bytes, `maxSize` allows {}", payload.bytes().len(), self.max_size).into()
            );
        }
        let (body, media_type) = match self.to {
            ConversionFormat::Json => {
                let value =
                    xml_to_json(payload.bytes(), self.keep_string).map_err(|error| error.to_string())?;
                (value.to_string(), "application/json")
            }
            ConversionFormat::Xml => {
                let value = payload.json().ok_or("expected JSON, found something else")?;
                let xml = json_to_xml(value, &self.root, self.max_size).map_err(|error| error.to_string())?;
                (xml, "application/xml")
            }
        };
        if body.len() > self.max_size {
            return Err(format!("{} bytes came out, `maxSize` allows {}", body.len(), self.max_size).into());
        }
        payload.replace(body);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Ok(Outcome::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(yaml: &str) -> Result<Converter, Diagnostic> {
        let value = model::yaml::parse(yaml).unwrap().value;
        let RequestConversion { to, content_types, root, keep_string, max_size } =
            serde_json::from_value(value).unwrap();
        Converter::new(to, &content_types, root, keep_string, max_size)
    }

    /// What happens to a body, and what it is afterwards.
    fn convert(
        yaml: &str,
        media_type: &'static str,
        body: &'static str,
    ) -> Result<(Outcome, String), String> {
        let mut headers = Headers::new();
        if !media_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let mut payload = Payload::new(body);
        let outcome = converter(yaml).unwrap().convert(ContentTypes::NONE, &mut headers, Some(&mut payload));
        let outcome = outcome.map_err(|problem| problem.to_string())?;
        let written = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap());
        Ok((outcome, format!("{written} {}", std::str::from_utf8(payload.bytes()).unwrap())))
    }

    #[test]
    fn bodies_of_the_named_types_are_converted_and_others_pass() {
        for (config, media_type, body, expect) in [
            (
                "to: json",
                "text/xml; charset=utf-8",
                "<a><b>1</b></a>",
                "application/json {\"a\":{\"b\":\"1\"}}",
            ),
            (
                "{to: json, keepString: false}",
                "application/soap+xml",
                "<a>1</a>",
                "application/json {\"a\":1}",
            ),
            ("{to: json, contentTypes: [text/plain]}", "TEXT/plain", "<a/>", "application/json {\"a\":\"\"}"),
            (
                "{to: xml, root: o}",
                "application/hal+json",
                "[1]",
                "application/xml <?xml version=\"1.0\" encoding=\"UTF-8\"?><o><item>1</item></o>",
            ),
        ] {
            assert_eq!(
                convert(config, media_type, body),
                Ok((Outcome::Changed, expect.to_owned())),
                "{config}"
            );
        }
        for (config, media_type, body) in [
            ("to: json", "application/json", "{}"),
            ("to: json", "", "<a/>"),
            ("to: xml", "application/json", ""),
        ] {
            assert_eq!(convert(config, media_type, body).unwrap().0, Outcome::Skipped, "{config} {body}");
        }
    }

    #[test]
    fn bodies_that_are_not_what_they_say_are_refused() {
        for (config, media_type, body) in [
            ("to: json", "application/xml", "<a>"),
            ("to: json", "application/xml", "<!DOCTYPE a><a/>"),
            ("to: xml", "application/json", "{"),
            ("{to: json, maxSize: 4B}", "application/xml", "<abc/>"),
            ("{to: xml, maxSize: 50B}", "application/json", "[1,2,3,4,5,6,7,8,9]"),
        ] {
            assert!(convert(config, media_type, body).is_err(), "{config} {body}");
        }
        let mut headers = Headers::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        headers.insert(http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let converter = converter("to: json").unwrap();
        assert!(converter.convert(ContentTypes::NONE, &mut headers, Some(&mut Payload::new("x"))).is_err());
    }

    #[test]
    fn bad_configuration_names_its_field() {
        for (config, path) in [
            ("{to: json, contentTypes: [a/b, json]}", "contentTypes[1]"),
            ("{to: xml, root: 1a}", "root"),
            ("{to: xml, root: ''}", "root"),
            ("{to: xml, maxSize: 0B}", "maxSize"),
        ] {
            assert_eq!(converter(config).unwrap_err().path, path, "{config}");
        }
    }
}
