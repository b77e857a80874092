//! E-mails: the server that they are sent by, and who can have a new password by one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Secret};

/// The server that e-mails are sent by (SMTP, RFC 5321): those for users, and those of destinations for alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MailSettings {
    /// `smtps://mail.example.com`, or `smtp://mail.example.com` with `startTls`. Default ports: 465 for `smtps`, 587 with
    /// `startTls`, else 25. Without TLS it has to be on this machine.
    pub url: String,
    /// Begin TLS on a connection that is made without it (RFC 3207). A server that cannot is not used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub start_tls: bool,
    /// PEM file of the authorities that the server's certificate is verified against. Default: those of the system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Who logs in at the server. Default: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Reference to the password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Who e-mails are from: `gateway@example.com` or `Gateway <gateway@example.com>`.
    pub from: String,
    /// Longest wait for the server, for each step.
    #[serde(default = "timeout")]
    pub timeout: Duration,
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

/// How users who have forgotten their password get a new one: by a link in an e-mail to the address that their user has,
/// sent by `settings.mail`. Users of LDAP and of OpenID Connect have their password elsewhere. Whoever has a second factor is
/// asked for it afterwards as always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordResetSettings {
    /// Where browsers find the console and the portal, as in `https://gateway.example.com:9072`. It is what links in
    /// e-mails begin with.
    pub public_url: String,
    /// How long a link is good for. It is good once, and no longer when the password changes some other way.
    #[serde(default = "expire_after")]
    pub expire_after: Duration,
}

fn expire_after() -> Duration {
    Duration::from_secs(30 * 60)
}
