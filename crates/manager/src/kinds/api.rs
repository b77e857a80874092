//! APIs: the published interfaces. Several versions of one are assets of their own.

use std::sync::Arc;

use model::{
    ApiDoc, ConfigDoc, Diagnostic, Diagnostics, LifecycleAction, LifecycleState, Picture, api::LARGEST_ICON,
};

use super::written;
use crate::{AssetDoc, DOCUMENT, Event, Privilege};

impl AssetDoc for ApiDoc {
    const KIND: &'static str = "api";
    const LIST: &'static str = "apis";
    const PRIVILEGE: Privilege = Privilege::ManageApis;

    /// As in `Orders:1.0`.
    fn name(&self) -> Result<String, Diagnostics> {
        let Some(name) = &self.name else {
            return Err(Diagnostic::error("name", "missing")
                .help("an API that is kept as an asset says its name")
                .into());
        };
        if self.icon.as_ref().is_some_and(|icon| Picture::parse(icon, LARGEST_ICON).is_none()) {
            let message = format!("expected {}", Picture::expected(LARGEST_ICON));
            return Err(Diagnostic::error("icon", message).into());
        }
        if let Some(definition) = &self.definition
            && !definition.starts_with(DOCUMENT)
            && !definition.contains("://")
        {
            let message = format!("found `{definition}`, expected a URL, or what an upload has made of it");
            let problem = Diagnostic::error("definition", message);
            return Err(problem
                .help("a path leads nowhere: upload the document with PUT /api/v1/apis/NAME/definition")
                .into());
        }
        Ok(format!("{}:{}", written(name)?, self.version.as_deref().unwrap_or("1.0")))
    }

    fn becomes(&self, after: &Self) -> Result<Option<Event>, Diagnostics> {
        let (from, to) = (self.lifecycle.state, after.lifecycle.state);
        if from != to {
            let action = from.action_to(to).ok_or_else(|| no_way(from, to))?;
            return Ok(Some(Event { action: action.name(), done: done(action) }));
        }
        Ok(match (self.inactive, after.inactive) {
            (true, false) => Some(Event { action: "activate", done: "activated" }),
            (false, true) => Some(Event { action: "deactivate", done: "deactivated" }),
            _ => None,
        })
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.apis.push(Arc::clone(doc));
    }
}

/// As it is told of an API with which that was done.
const fn done(action: LifecycleAction) -> &'static str {
    match action {
        LifecycleAction::PreRelease => "pre-released",
        LifecycleAction::Publish => "published",
        LifecycleAction::Demote => "demoted",
        LifecycleAction::Block => "blocked",
        LifecycleAction::Deprecate => "deprecated",
        LifecycleAction::Retire => "retired",
    }
}

fn no_way(from: LifecycleState, to: LifecycleState) -> Diagnostic {
    let message = format!("found `{}`, which does not follow `{}`", to.name(), from.name());
    let problem = Diagnostic::error("lifecycle.state", message);
    let next: Vec<_> = from.actions().map(|(_, state)| format!("`{}`", state.name())).collect();
    if next.is_empty() {
        problem.help("only a restored revision leads out of it; a new version can be made from it")
    } else {
        problem.help(format!("what follows is {}", next.join(" or ")))
    }
}
