//! The developer portal: what consumers see of APIs, their documents, and how the portal looks.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an API shows in the developer portal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiPortal {
    /// Who sees the API.
    #[serde(skip_serializing_if = "PortalVisibility::is_signed_in")]
    pub visibility: PortalVisibility,
    /// Names of groups whose members see it, with visibility `restricted`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Names of teams whose members see it, with visibility `restricted`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<String>,
    /// Categories that it is listed under, such as `Payments`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// One sentence for lists. Default: `description` of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Who answers questions about it: an address or a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// What changed, the newest first, in Markdown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<PortalChange>,
}

/// What changed in an API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalChange {
    /// Day of the change, as in `2026-11-22`.
    pub date: String,
    /// What changed, in Markdown.
    pub text: String,
}

/// Who sees an API in the portal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PortalVisibility {
    /// Everybody, also without signing in.
    Public,
    /// Whoever has signed in.
    #[default]
    SignedIn,
    /// Members of `groups` and `teams`.
    Restricted,
}

impl PortalVisibility {
    fn is_signed_in(&self) -> bool {
        *self == Self::SignedIn
    }
}

/// Something to read about an API: exactly one of `markdown`, `url` and `file`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiDocumentDoc {
    /// Unique name.
    pub name: String,
    /// The API that it is about, by its name, which means all versions, or as `Orders:2.0`.
    pub api: String,
    /// What readers see. Default: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What is in it, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The text itself, in Markdown, up to 512 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// Where it is found, a URL with `https:` or `http:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file to download.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<ApiDocumentFile>,
}

/// A file to download.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiDocumentFile {
    /// What it is called when it is saved, without a path.
    pub name: String,
    /// Such as `application/pdf`.
    pub media_type: String,
    /// Its bytes in base64, up to 2 MiB of them.
    pub data: String,
}

/// The developer portal itself. There is one, whose name is `portal`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalDoc {
    /// Always `portal`.
    #[serde(default = "portal_name")]
    pub name: String,
    /// What it is called, in the window and at the top. Default: `Developer portal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its logo as a `data:` URL of a PNG, JPEG, WebP or SVG, up to 256 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// Colours by what they are for, such as `primary`, each `#` and six hexadecimal digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub colors: BTreeMap<String, String>,
    /// Texts by where they stand: `headline` and `welcome` on the first page, `footer` on all, in Markdown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, String>,
    /// Pages of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<PortalPage>,
    /// Where consumers reach the gateway, such as `https://api.example.com`, for samples. Default: a
    /// listener of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_url: Option<String>,
    /// Whether people may sign up by themselves.
    #[serde(default, skip_serializing_if = "SignUp::is_off")]
    pub sign_up: SignUp,
    /// Names of the groups that people are in who have signed up. They must not be among those that administer the gateway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sign_up_groups: Vec<String>,
    /// Let consumers send requests to APIs from the portal. They go through the gateway, and come from its own address.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub try_it: bool,
    /// Let consumers rate APIs and comment on them.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub feedback: bool,
    /// Applications that one user may have, 0 to 1000.
    #[serde(default = "twenty", skip_serializing_if = "is_twenty")]
    #[schemars(range(max = 1000))]
    pub applications_per_user: u32,
    /// Let consumers make OAuth 2.0 clients for their applications, where there is an internal authorization server.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub oauth_clients: bool,
    /// Scopes that such a client may ask for, from when it is made: those that are there already keep theirs. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oauth_scopes: Vec<String>,
}

/// A page of the portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortalPage {
    /// Its place in the address: small letters, digits and `-`.
    pub slug: String,
    /// Its title, which stands in the menu, too.
    pub title: String,
    /// What is on it, in Markdown.
    pub markdown: String,
}

/// Whether people may sign up by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SignUp {
    /// No: administrators make users.
    #[default]
    Off,
    /// They ask, and an administrator approves.
    Approval,
    /// They may log in at once.
    Open,
}

impl SignUp {
    fn is_off(&self) -> bool {
        *self == Self::Off
    }
}

impl Default for PortalDoc {
    fn default() -> Self {
        Self {
            name: portal_name(),
            title: None,
            logo: None,
            colors: BTreeMap::new(),
            texts: BTreeMap::new(),
            pages: Vec::new(),
            gateway_url: None,
            sign_up: SignUp::Off,
            sign_up_groups: Vec::new(),
            try_it: true,
            feedback: true,
            applications_per_user: twenty(),
            oauth_clients: true,
            oauth_scopes: Vec::new(),
        }
    }
}

fn portal_name() -> String {
    "portal".to_owned()
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn twenty() -> u32 {
    20
}

fn is_twenty(number: &u32) -> bool {
    *number == twenty()
}
