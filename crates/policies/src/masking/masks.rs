//! Masks, compiled, and what they do to a body.

use std::borrow::Cow;

use engine::{
    Headers, Payload,
    language::{Replacement, Selector, SelectorKind, json},
};
use model::{Diagnostic, settings::ContentTypes};

use super::{MaskingAction, MaskingKind, MaskingMask};
use crate::media::{self, Kind};

/// The masks for one caller, by the kind of body that they are for.
#[derive(Debug, Default)]
pub struct Masks {
    json: Vec<Mask>,
    xml: Vec<Mask>,
    text: Vec<Mask>,
}

#[derive(Debug)]
struct Mask {
    selector: Selector,
    replacement: Replacement,
}

impl Masks {
    /// Checks and prepares a list; problems carry paths under `masks`.
    pub fn compile(docs: &[MaskingMask]) -> Result<Self, Diagnostic> {
        let mut masks = Self::default();
        for (index, doc) in docs.iter().enumerate() {
            let mask = Mask::compile(doc).map_err(|problem| problem.under(&format!("masks[{index}]")))?;
            match doc.kind {
                MaskingKind::JsonPath => masks.json.push(mask),
                MaskingKind::Xpath => masks.xml.push(mask),
                MaskingKind::Regex => masks.text.push(mask),
            }
        }
        Ok(masks)
    }

    /// The body without what is hidden; `Ok(None)` when there is nothing to hide in it, `Err` when nobody can tell.
    pub fn apply(
        &self,
        types: &ContentTypes,
        headers: &Headers,
        payload: &Payload,
    ) -> Result<Option<Vec<u8>>, &'static str> {
        let kind = media::kind_of(types, headers, payload.bytes());
        let masks = match kind {
            Some(Kind::Json) => &self.json,
            Some(Kind::Xml) => &self.xml,
            Some(Kind::Text) => &self.text,
            None => return Ok(None),
        };
        if masks.is_empty() {
            return Ok(None);
        }
        if media::is_encoded(headers) {
            return Err("expected a body without Content-Encoding, found one");
        }
        match kind {
            Some(Kind::Json) => hide_in_json(masks, payload),
            kind => hide(masks, payload, kind == Some(Kind::Xml)),
        }
    }
}

impl Mask {
    fn compile(doc: &MaskingMask) -> Result<Self, Diagnostic> {
        let kind = match doc.kind {
            MaskingKind::JsonPath => SelectorKind::JsonPath,
            MaskingKind::Xpath => SelectorKind::XPath,
            MaskingKind::Regex => SelectorKind::Regex,
        };
        if kind != SelectorKind::XPath && !doc.namespaces.is_empty() {
            return Err(Diagnostic::error("namespaces", "found some, expected none: they are for an XPath"));
        }
        let selector = Selector::compile(kind, &doc.expression, &doc.namespaces)
            .map_err(|problem| problem.under("expression"))?;
        if !selector.selects_parts() {
            return Err(Diagnostic::error(
                "expression",
                format!(
                    "found `{}`, which computes a value, expected one that selects nodes",
                    doc.expression
                ),
            )
            .help("write it like //card/number or //card/@number"));
        }
        let replacement = match (doc.action, &doc.value) {
            (MaskingAction::Filter, None) => Replacement::Filter,
            (MaskingAction::Filter, Some(_)) => {
                return Err(Diagnostic::error("value", "found a value, expected none: parts are taken out"));
            }
            (MaskingAction::Mask, value) => Replacement::Mask(value.as_deref().unwrap_or("********").into()),
        };
        Ok(Self { selector, replacement })
    }
}

/// JSON is read and written once, however many masks there are.
fn hide_in_json(masks: &[Mask], payload: &Payload) -> Result<Option<Vec<u8>>, &'static str> {
    let value = payload.json().ok_or("expected JSON, found something else")?;
    let mut value = Cow::Borrowed(value);
    for mask in masks {
        if let Selector::JsonPath(path) = &mask.selector
            && let Some(changed) = json::replace(path, &value, &mask.replacement)
        {
            value = Cow::Owned(changed);
        }
    }
    match value {
        Cow::Borrowed(_) => Ok(None),
        Cow::Owned(value) => {
            serde_json::to_vec(&value).map(Some).map_err(|_| "the body cannot be written as JSON again")
        }
    }
}

fn hide(masks: &[Mask], payload: &Payload, is_xml: bool) -> Result<Option<Vec<u8>>, &'static str> {
    let mut payload = Cow::Borrowed(payload);
    for mask in masks {
        // Also after each change: what cannot be read any more cannot be searched by the next mask.
        if is_xml && payload.xml().is_none() {
            return Err("expected XML without DTD, within the limits; found something else");
        }
        let changed = mask.selector.replace(&payload, &mask.replacement);
        let changed = changed.map_err(|_| "an expression costs too much on this body")?;
        if let Some(bytes) = changed {
            payload = Cow::Owned(Payload::new(bytes));
        }
    }
    Ok(match payload {
        Cow::Borrowed(_) => None,
        Cow::Owned(payload) => Some(payload.bytes().to_vec()),
    })
}
