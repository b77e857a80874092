//! XML bodies against XML Schemas that the policy names.

use std::sync::Arc;

use engine::{
    CompileCx, Headers, Payload,
    language::{Xsd, XsdDocument},
};
use model::{Diagnostic, settings::ContentTypes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Findings;
use crate::{
    media::{self, Kind},
    schemas::problem_at,
};

/// Largest body that is compared with a schema: it happens on a worker, and other requests wait for it.
const LARGEST: usize = 1 << 20;

/// An XML Schema for bodies.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateSpecificationXmlSchema {
    /// File with the schema, XSD 1.0. What it includes and imports has to be in `xmlIncludes`; imports in a circle,
    /// `redefine` and `override` are not supported. Of an attribute that a type refers to (`ref`) it counts whether it may
    /// be there; its value is compared where it is in an attribute group. Relative paths are relative to the configuration.
    file: String,
    /// Bodies that it is for, such as `application/vnd.order+xml` or `text/*`. Default: all XML. Of several schemas that
    /// fit, the one with the closest content type counts, and among these the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    /// Messages that it is for.
    #[serde(default)]
    messages: ValidateSpecificationMessages,
}

/// A document that XML Schemas include or import.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateSpecificationXmlInclude {
    /// File with the document. One that is included is of the same namespace as the schema, with the same
    /// `elementFormDefault` and other defaults; one that is imported is of another. Relative paths are relative to the
    /// configuration.
    file: String,
}

/// Messages that an XML Schema is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValidateSpecificationMessages {
    /// Requests, and responses where these are checked.
    #[default]
    Both,
    /// Requests only.
    Requests,
    /// Responses only.
    Responses,
}

/// The schemas of one direction.
#[derive(Default)]
pub struct XmlSchemas(Vec<(Option<String>, Arc<Xsd>)>);

impl XmlSchemas {
    /// Those for requests, and those for responses.
    pub fn compile(
        docs: &[ValidateSpecificationXmlSchema],
        includes: &[ValidateSpecificationXmlInclude],
        cx: &CompileCx<'_>,
    ) -> Result<[Self; 2], Diagnostic> {
        let mut included = Vec::new();
        for (index, doc) in includes.iter().enumerate() {
            if let Some(bytes) = cx.file(&format!("xmlIncludes[{index}].file"), &doc.file)? {
                included.push((&doc.file, bytes));
            }
        }
        let included: Vec<_> = included.iter().map(|(name, bytes)| XsdDocument { name, bytes }).collect();
        let (mut requests, mut responses) = (Self::default(), Self::default());
        for (index, doc) in docs.iter().enumerate() {
            let at = |key: &str| format!("xmlSchemas[{index}].{key}");
            if let Some(range) = doc.content_type.as_deref().filter(|range| !media::is_range(range)) {
                let problem = format!("found `{range}`, expected a media type without parameters");
                return Err(Diagnostic::error(at("contentType"), problem));
            }
            let Some(bytes) = cx.file(&at("file"), &doc.file)? else { continue };
            let schema = XsdDocument { name: &doc.file, bytes: &bytes };
            let schema = Xsd::compile(schema, &included).map_err(|problem| problem.under(&at("file")))?;
            let schema = Arc::new(schema);
            let range = doc.content_type.as_ref().map(|range| range.to_ascii_lowercase());
            if doc.messages != ValidateSpecificationMessages::Responses {
                requests.0.push((range.clone(), Arc::clone(&schema)));
            }
            if doc.messages != ValidateSpecificationMessages::Requests {
                responses.0.push((range, schema));
            }
        }
        Ok([requests, responses])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what is wrong with a body, if it is one of those that a schema is for.
    pub fn check(
        &self,
        types: &ContentTypes,
        headers: &Headers,
        payload: Option<&Payload>,
        findings: &mut Findings,
    ) {
        let Some(payload) = payload.filter(|payload| !payload.bytes().is_empty()) else { return };
        let Some(schema) = self.find(types, headers, payload) else { return };
        let problem = if media::is_encoded(headers) {
            findings.media_type = true;
            problem_at("header.content-encoding", "expected a body that is not compressed")
        } else if payload.bytes().len() > LARGEST {
            problem_at("body", "expected at most 1 MiB of XML")
        } else {
            match payload.xml().map(|xml| schema.is_valid(xml)) {
                Some(true) => return,
                Some(false) => problem_at("body", "does not match the XML Schema"),
                None => problem_at("body", "expected XML in UTF-8 without a DTD"),
            }
        };
        findings.problems.push(problem);
    }

    fn find(&self, types: &ContentTypes, headers: &Headers, payload: &Payload) -> Option<&Xsd> {
        if self.is_empty() {
            return None;
        }
        // A body without a content type is what whoever gets it takes it for.
        let media_type = media::of(headers).unwrap_or_default();
        let is_xml = media::kind_of(types, headers, payload.bytes()) == Some(Kind::Xml);
        let fit = |range: &Option<String>| match range {
            None => u8::from(is_xml),
            Some(range) => media::covers(range, &media_type).saturating_mul(2),
        };
        // The last of the largest is taken: the list is turned around.
        let best = self.0.iter().rev().max_by_key(|(range, _)| fit(range));
        best.filter(|(range, _)| fit(range) > 0).map(|(_, schema)| &**schema)
    }
}
