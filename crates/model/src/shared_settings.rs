//! Settings that nodes have in common: those that may change while a node runs, kept by the manager as an asset.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Settings,
    settings::{AddressLock, ApiSettings, ContentTypes, Explain, Faults, Limits, Matching, Timeouts},
};

/// The only name.
pub const SHARED_SETTINGS: &str = "settings";

macro_rules! sections {
    ($($(#[doc = $about:literal])+ $field:ident: $type:ty = $key:literal,)*) => {
        /// Settings of all nodes. A section that is here counts as a whole instead of the section in the files of nodes:
        /// what it does not say has its default. Sections that are not here are up to each node's file. There is one.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub struct SharedSettingsDoc {
            /// Always `settings`.
            #[serde(default = "only_name")]
            pub name: String,
            $($(#[doc = $about])+
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>,)*
        }

        impl SharedSettingsDoc {
            /// Keys of the sections that there can be.
            pub const SECTIONS: &[&str] = &[$($key),*];

            /// Keys of those that are here.
            pub fn sections(&self) -> Vec<&'static str> {
                let all = [$(($key, self.$field.is_some())),*];
                all.into_iter().filter(|(_, is_here)| *is_here).map(|(key, _)| key).collect()
            }

            /// All of them as they are in these settings.
            pub fn of(settings: &Settings) -> Self {
                Self { name: only_name(), $($field: Some(settings.$field.clone()),)* }
            }

            /// Puts them in the place of what a file says.
            pub fn apply_to(&self, settings: &mut Settings) {
                $(if let Some(section) = &self.$field {
                    settings.$field = section.clone();
                })*
            }
        }
    };
}

sections! {
    /// How requests find their API and operation.
    matching: Matching = "matching",
    /// What APIs may say about themselves.
    apis: ApiSettings = "apis",
    /// What a client may send, and how fast it must be.
    limits: Limits = "limits",
    /// Waits that neither the endpoint, the upstream nor the API says anything about.
    timeouts: Timeouts = "timeouts",
    /// When clients that fail to authenticate get no further.
    address_lock: AddressLock = "addressLock",
    /// What clients are told when something goes wrong.
    faults: Faults = "faults",
    /// Content types that policies would not know what to make of otherwise.
    content_types: ContentTypes = "contentTypes",
    /// Decision records.
    explain: Explain = "explain",
}

fn only_name() -> String {
    SHARED_SETTINGS.to_owned()
}

/// Why a section of a node's settings is none of these.
pub fn why_not_shared(section: &str) -> Option<&'static str> {
    Some(match section {
        "workers"
        | "dataDirectory"
        | "operations"
        | "manager"
        | "ldap"
        | "store"
        | "authorizationServer"
        | "events" => {
            "it is looked at when a node starts: set it in `settings` of each node's file, and start the node again"
        }
        "dns" | "accessLog" | "privateAddresses" => {
            "it is up to the machine that a node runs on: set it in `settings` of the node's file, which is read again when it changes"
        }
        "callbacks" => {
            "its keys are secrets of the nodes: set it in `settings` of each node's file, which is read again when it changes"
        }
        "mail" => {
            "its password is a secret of the nodes: set it in `settings` of each node's file, which is read again when it changes"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::check;

    #[test]
    fn a_section_counts_as_a_whole_and_the_others_stay() {
        let mut settings: Settings = serde_json::from_str(
            r#"{"limits": {"bodySize": "1MiB", "connections": 9}, "faults": {"defaultMessage": "no"}, "workers": 2}"#,
        )
        .unwrap();
        let doc: SharedSettingsDoc =
            serde_json::from_str(r#"{"limits": {"connections": 7}, "matching": {}}"#).unwrap();
        assert_eq!((doc.name.as_str(), doc.sections()), ("settings", vec!["matching", "limits"]));
        doc.apply_to(&mut settings);
        assert_eq!((settings.limits.connections.get(), settings.limits.body_size), (7, None));
        assert_eq!(settings.faults.default_message.as_deref(), Some("no"));
        assert_eq!(settings.workers.map(std::num::NonZeroU16::get), Some(2));
    }

    #[test]
    fn every_section_of_the_settings_is_shared_or_has_a_reason() {
        let keys = |schema: Value| -> BTreeSet<String> {
            schema["properties"].as_object().unwrap().keys().cloned().collect()
        };
        let shared = keys(check::schema_of::<SharedSettingsDoc>());
        let named: BTreeSet<String> =
            SharedSettingsDoc::SECTIONS.iter().map(|key| (*key).to_owned()).collect();
        assert!(named.is_subset(&shared) && shared.len() == named.len() + 1, "{shared:?}");
        for section in keys(check::schema_of::<Settings>()) {
            assert!(named.contains(&section) != why_not_shared(&section).is_some(), "{section}");
        }
    }
}
