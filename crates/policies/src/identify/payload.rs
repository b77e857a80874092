//! By a value in the body. A body that two readers could understand differently identifies nobody.

use std::{collections::HashSet, fmt};

use engine::{
    Exchange, Payload,
    language::{Namespaces, Selector, SelectorKind},
};
use foldhash::fast::RandomState;
use model::Diagnostic;
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use super::identifier::{Finding, Found, Identifier};
use crate::media::{self, Kind};

pub(super) struct ByPayload {
    json: Option<Selector>,
    xml: Option<Selector>,
    text: Option<Selector>,
}

impl ByPayload {
    pub fn compile(
        xpath: Option<String>,
        namespaces: &Namespaces,
        json_path: Option<String>,
        regex: Option<String>,
    ) -> Result<Self, Diagnostic> {
        if xpath.is_none() && json_path.is_none() && regex.is_none() {
            return Err(Diagnostic::error(
                "",
                "found no expression, expected `jsonPath`, `xpath` or `regex`",
            )
            .help("add `jsonPath: $.tenant`"));
        }
        if xpath.is_none() && !namespaces.is_empty() {
            return Err(Diagnostic::error("namespaces", "found some, expected none: they are for `xpath`"));
        }
        let compile = |path: &str, kind, text: Option<String>| {
            let compiled = text.map(|text| Selector::compile(kind, &text, namespaces));
            compiled.transpose().map_err(|problem| problem.under(path))
        };
        Ok(Self {
            json: compile("jsonPath", SelectorKind::JsonPath, json_path)?,
            xml: compile("xpath", SelectorKind::XPath, xpath)?,
            text: compile("regex", SelectorKind::Regex, regex)?,
        })
    }

    /// The one value that is selected.
    fn value(&self, exchange: &Exchange) -> Option<String> {
        let payload = exchange.request_payload.as_ref().filter(|payload| !payload.bytes().is_empty())?;
        let types = &exchange.snapshot.settings.content_types;
        let kind = media::kind_of(types, &exchange.headers, payload.bytes())?;
        let selector = match kind {
            Kind::Json => &self.json,
            Kind::Xml => &self.xml,
            Kind::Text => &self.text,
        };
        let selector = selector.as_ref()?;
        if media::is_encoded(&exchange.headers) || (kind == Kind::Json && !has_distinct_names(payload)) {
            return None;
        }
        // Of several values, who reads which differs between servers.
        let mut texts = selector.texts(payload);
        if texts.len() == 1 { texts.pop() } else { None }
    }
}

impl Identifier for ByPayload {
    fn identify<'a>(&'a self, exchange: &'a Exchange) -> Found<'a> {
        let identifiers = &exchange.snapshot.applications.identifiers;
        let found = self.value(exchange).map(|value| identifiers.by_payload(&value).to_vec());
        Found::Now(Finding::property(found.unwrap_or_default()))
    }

    fn looks_into_bodies(&self) -> bool {
        true
    }
}

/// Whether no object has a name twice: some readers take the first value, some the last (RFC 8259, 4).
fn has_distinct_names(payload: &Payload) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(payload.bytes());
    Distinct.deserialize(&mut reader).is_ok()
}

/// Reads any JSON and keeps nothing of it but the names of the objects that are open.
struct Distinct;

impl<'de> DeserializeSeed<'de> for Distinct {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut names = HashSet::with_hasher(RandomState::default());
        while let Some(name) = object.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name is there twice"));
            }
            object.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_in_an_object_once() {
        for (text, expect) in [
            (r#"{"a":[1,-1,1.5,null,true,"x",{"a":{}}],"b":{"a":1}}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"[{"b":[{"c":1,"c":2}]}]"#, false),
            (r#"{"a":1"#, false),
            (&"[".repeat(100_000), false),
        ] {
            assert_eq!(has_distinct_names(&Payload::new(text.to_owned())), expect, "{text:.40}");
        }
    }
}
