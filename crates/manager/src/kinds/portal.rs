//! The developer portal: how it looks, and who may sign up. There is one.

use std::{collections::HashSet, sync::Arc};

use model::{ConfigDoc, Diagnostic, Diagnostics, Picture, PortalDoc};

use crate::{AssetDoc, Privilege, rights::ADMINISTERING};

/// The only name.
pub(crate) const PORTAL: &str = "portal";
/// Largest logo, in bytes.
const LARGEST_LOGO: usize = 256 << 10;
/// Longest text, in bytes.
const LONGEST_TEXT: usize = 256 << 10;

impl AssetDoc for PortalDoc {
    const KIND: &'static str = "portal";
    const LIST: &'static str = "portals";
    const PRIVILEGE: Privilege = Privilege::PublishToDeveloperPortal;

    fn name(&self) -> Result<String, Diagnostics> {
        let mut problems = Vec::new();
        if self.name != PORTAL {
            let message = format!("found `{}`, expected `{PORTAL}`: there is one", self.name.escape_debug());
            problems.push(Diagnostic::error("name", message));
        }
        if self.logo.as_ref().is_some_and(|logo| Picture::parse(logo, LARGEST_LOGO).is_none()) {
            let message = format!("expected {}", Picture::expected(LARGEST_LOGO));
            problems.push(Diagnostic::error("logo", message));
        }
        for (name, color) in &self.colors {
            let digits = color.strip_prefix('#').filter(|digits| digits.len() == 6);
            if !digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
                let message = format!("found `{}`, expected a color such as #1f6feb", color.escape_debug());
                problems.push(Diagnostic::error(format!("colors.{name}"), message));
            }
        }
        for (name, text) in &self.texts {
            if text.len() > LONGEST_TEXT {
                problems
                    .push(Diagnostic::error(format!("texts.{name}"), "expected a text of at most 256 KiB"));
            }
        }
        let is_address = |url: &String| url.starts_with("https://") || url.starts_with("http://");
        if let Some(url) = self.gateway_url.as_ref().filter(|url| !is_address(url)) {
            let message = format!("found `{}`, expected a URL with https: or http:", url.escape_debug());
            problems.push(Diagnostic::error("gatewayUrl", message));
        }
        let mut slugs = HashSet::new();
        for (index, page) in self.pages.iter().enumerate() {
            let path = format!("pages[{index}]");
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if page.slug.is_empty() || page.slug.len() > 100 || !page.slug.bytes().all(plain) {
                let message =
                    format!("found `{}`, expected small letters, digits and `-`", page.slug.escape_debug());
                problems.push(Diagnostic::error(format!("{path}.slug"), message));
            }
            if !slugs.insert(&page.slug) {
                let message = format!("found `{}` a second time", page.slug);
                problems.push(Diagnostic::error(format!("{path}.slug"), message));
            }
            if page.markdown.len() > LONGEST_TEXT {
                problems.push(Diagnostic::error(
                    format!("{path}.markdown"),
                    "expected a text of at most 256 KiB",
                ));
            }
        }
        for (index, group) in self.sign_up_groups.iter().enumerate() {
            if ADMINISTERING.contains(&group.as_str()) {
                let message = format!("found `{group}`, whose members manage the gateway");
                let problem = Diagnostic::error(format!("signUpGroups[{index}]"), message);
                problems
                    .push(problem.help("people who sign up are strangers: name groups without privileges"));
            }
        }
        for (index, scope) in self.oauth_scopes.iter().enumerate() {
            // RFC 6749, 3.3.
            let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if scope.is_empty() || !scope.bytes().all(fits) {
                let message = format!("found `{}`, which is no scope", scope.escape_debug());
                let problem = Diagnostic::error(format!("oauthScopes[{index}]"), message);
                problems.push(problem.help("write one scope in each line, such as orders.read"));
            }
        }
        if problems.is_empty() { Ok(self.name.clone()) } else { Err(Diagnostics(problems)) }
    }

    fn add_to(doc: &Arc<Self>, config: &mut ConfigDoc) {
        config.portals.push((**doc).clone());
    }
}
