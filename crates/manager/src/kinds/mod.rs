//! Every kind of asset: a file each, and a line in the list.

mod alias;
mod api;
mod application;
mod authorization_server;
mod destination;
mod group;
mod listener;
mod policy;
mod policy_template;
mod team;
mod upstream;
mod url_alias;
mod user;

use model::{
    AliasDoc, ApiDoc, ApplicationDoc, AuthorizationServerDoc, DestinationDoc, GlobalPolicyDoc, GroupDoc,
    ListenerDoc, PolicyTemplateDoc, TeamDoc, TeamRuleDoc, UpstreamDoc, UrlAliasDoc, UserDoc,
};

use crate::Kind;

/// All kinds, in the order in which one refers to another: what comes first stands by itself.
pub static KINDS: [Kind; 14] = [
    Kind::of::<AliasDoc>(),
    Kind::of::<ListenerDoc>(),
    Kind::of::<UpstreamDoc>(),
    Kind::of::<DestinationDoc>(),
    Kind::of::<TeamDoc>(),
    Kind::of::<TeamRuleDoc>(),
    Kind::of::<AuthorizationServerDoc>(),
    Kind::of::<PolicyTemplateDoc>(),
    Kind::of::<GlobalPolicyDoc>(),
    Kind::of::<ApiDoc>(),
    Kind::of::<UrlAliasDoc>(),
    Kind::of::<GroupDoc>(),
    Kind::of::<UserDoc>(),
    Kind::of::<ApplicationDoc>(),
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
