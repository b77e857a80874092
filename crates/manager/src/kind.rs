//! What a kind of asset says about itself. Listing, changing, history, audit and rights come from this alone.

use std::{any::Any, sync::Arc};

use model::{ClearText, ConfigDoc, Diagnostics, check};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::Privilege;

/// A document that is kept as an asset.
pub trait AssetDoc: Clone + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// As in `kind: upstream`.
    const KIND: &'static str;
    /// The key of its list in a configuration, which is its place in the REST API, too.
    const LIST: &'static str;
    /// What is needed to change one.
    const PRIVILEGE: Privilege;

    /// Unique among its kind.
    fn name(&self) -> Result<String, Diagnostics>;

    /// Adds one to its list in a configuration.
    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc);

    /// What it is called when one that is there becomes this, where that is more than a change of it; or why it may not.
    fn becomes(&self, _after: &Self) -> Result<Option<Event>, Diagnostics> {
        Ok(None)
    }

    /// Why a key is none that somebody may expect.
    fn why_not(_key: &str) -> Option<&'static str> {
        None
    }

    /// Takes out what is not to be seen again.
    fn take_secret(&mut self) -> Option<ClearText> {
        None
    }
}

/// A change that has a name of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// As in `publish`.
    pub action: &'static str,
    /// As in `published`.
    pub done: &'static str,
}

/// A document that was checked.
#[derive(Clone)]
pub struct Parsed {
    pub name: String,
    /// Without what is as it would be anyway.
    pub document: Value,
    pub typed: Arc<dyn Any + Send + Sync>,
    /// What was in it that is not to be seen again.
    pub secret: Option<ClearText>,
}

type Becomes = fn(&(dyn Any + Send + Sync), &(dyn Any + Send + Sync)) -> Result<Option<Event>, Diagnostics>;

/// A kind of asset.
pub struct Kind {
    pub name: &'static str,
    pub list: &'static str,
    pub privilege: Privilege,
    parse: fn(Value) -> Result<Parsed, Diagnostics>,
    append: fn(&mut ConfigDoc, &Arc<dyn Any + Send + Sync>),
    becomes: Becomes,
    schema: fn() -> Value,
    subschema: fn(&mut SchemaGenerator) -> Schema,
    type_name: fn() -> String,
}

impl Kind {
    pub const fn of<T: AssetDoc>() -> Self {
        Self {
            name: T::KIND,
            list: T::LIST,
            privilege: T::PRIVILEGE,
            parse: |value| {
                let mut typed: T = check::parse(value).map_err(|mut problems| {
                    for problem in &mut problems.0 {
                        if let Some(why) = T::why_not(&problem.path) {
                            problem.help = Some(why.to_owned());
                        }
                    }
                    problems
                })?;
                let name = typed.name()?;
                let secret = typed.take_secret();
                // What has been read can be written.
                let mut document = serde_json::to_value(&typed).unwrap_or_default();
                check::strip_defaults(&check::known_schema::<T>(), &mut document);
                Ok(Parsed { name, document, typed: Arc::new(typed), secret })
            },
            append: |config, typed| {
                if let Ok(typed) = Arc::clone(typed).downcast::<T>() {
                    T::add_to(&typed, config);
                }
            },
            becomes: |before, after| match (before.downcast_ref::<T>(), after.downcast_ref::<T>()) {
                (Some(before), Some(after)) => before.becomes(after),
                _ => Ok(None),
            },
            schema: check::schema_of::<T>,
            subschema: |generator| generator.subschema_for::<T>(),
            type_name: || T::schema_name().into_owned(),
        }
    }

    /// Checks a document by itself: its keys, its types, its name.
    pub fn parse(&self, value: Value) -> Result<Parsed, Diagnostics> {
        (self.parse)(value)
    }

    /// Adds a document of this kind to a configuration.
    pub fn append(&self, config: &mut ConfigDoc, typed: &Arc<dyn Any + Send + Sync>) {
        (self.append)(config, typed);
    }

    /// What it is called when one that is there becomes another; or why it may not.
    pub fn becomes(&self, before: &Parsed, after: &Parsed) -> Result<Option<Event>, Diagnostics> {
        (self.becomes)(&*before.typed, &*after.typed)
    }

    /// The JSON Schema of its documents.
    pub fn schema(&self) -> Value {
        (self.schema)()
    }

    /// The same among other schemas.
    pub(crate) fn subschema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.subschema)(generator)
    }

    /// What the schema of its documents is called there.
    pub(crate) fn type_name(&self) -> String {
        (self.type_name)()
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
