//! Every kind of asset: a file each, and a line in the list.

mod alias;
mod api;
mod api_document;
mod application;
mod authorization_server;
mod destination;
mod group;
mod key_material;
mod listener;
mod plan;
mod policy;
mod policy_template;
pub(crate) mod portal;
mod secret;
mod shared_settings;
pub(crate) mod subscription;
mod team;
mod upstream;
mod url_alias;
mod user;

use model::{
    AliasDoc, ApiDoc, ApiDocumentDoc, ApplicationDoc, AuthorizationServerDoc, DestinationDoc,
    GlobalPolicyDoc, GroupDoc, KeystoreDoc, ListenerDoc, PlanDoc, PolicyTemplateDoc, PortalDoc, SecretDoc,
    SharedSettingsDoc, SubscriptionDoc, TeamDoc, TeamRuleDoc, TruststoreDoc, UpstreamDoc, UrlAliasDoc,
    UserDoc,
};

use crate::Kind;

/// All kinds, in the order in which one refers to another: what comes first stands by itself.
pub static KINDS: [Kind; 22] = [
    Kind::of::<SharedSettingsDoc>(),
    Kind::of::<SecretDoc>(),
    Kind::of::<KeystoreDoc>(),
    Kind::of::<TruststoreDoc>(),
    Kind::of::<AliasDoc>(),
    Kind::of::<ListenerDoc>(),
    Kind::of::<UpstreamDoc>(),
    Kind::of::<DestinationDoc>(),
    Kind::of::<TeamDoc>(),
    Kind::of::<TeamRuleDoc>(),
    Kind::of::<AuthorizationServerDoc>(),
    Kind::of::<PolicyTemplateDoc>(),
    Kind::of::<GlobalPolicyDoc>(),
    Kind::of::<PlanDoc>(),
    Kind::of::<ApiDoc>(),
    Kind::of::<ApiDocumentDoc>(),
    Kind::of::<UrlAliasDoc>(),
    Kind::of::<GroupDoc>(),
    Kind::of::<UserDoc>(),
    Kind::of::<ApplicationDoc>(),
    Kind::of::<SubscriptionDoc>(),
    Kind::of::<PortalDoc>(),
];

/// A kind by its name, `api`, or by its list, `apis`.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name || kind.list == name)
}

/// A name that is written in the document.
fn written(name: &str) -> Result<String, model::Diagnostics> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return Err(model::Diagnostic::error(
            "name",
            format!("found `{}`, expected a name", name.escape_debug()),
        )
        .into());
    }
    Ok(name.to_owned())
}
