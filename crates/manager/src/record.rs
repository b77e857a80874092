//! What is written into the audit log and is no change of an asset.

use std::net::IpAddr;

use store::assets::AuditEntry;

use crate::{Manager, Who};

/// What somebody typed as a name is kept up to here.
const LONGEST_NAME: usize = 200;

impl Manager {
    /// Writes down what is no change of an asset.
    pub(crate) async fn record(
        &self,
        who: &Who,
        event_type: &str,
        object_type: &str,
        action: &str,
        object: &str,
        message: &str,
    ) {
        let address = who.address.to_string();
        let entry = AuditEntry {
            event_type,
            object_type,
            action,
            object,
            message,
            user: &who.user,
            source_machine: &self.machine,
            client_ip: &address,
            payload: None,
        };
        if let Err(error) = self.store.record(self.now(), &[entry]).await {
            tracing::error!(%error, "the audit log could not be written: {message}");
        }
    }

    /// Writes down that somebody tried to get in.
    pub(crate) async fn record_failed_login(&self, user: &str, address: IpAddr) {
        self.record_failure(user, address, "failed login", "the user or the password was wrong").await;
    }

    /// Writes down that a provider elsewhere let somebody in who is not let in here, and the code of why.
    pub(crate) async fn record_failed_provider_login(&self, provider: &str, address: IpAddr, code: &str) {
        let message = format!("a login with {provider} failed: {code}");
        self.record_failure(&format!("{provider}:"), address, "failed login", &message).await;
    }

    /// Writes down that somebody knew the password, and not the code of the second factor.
    pub(crate) async fn record_wrong_code(&self, user: &str, address: IpAddr) {
        let message = "the password was right, and the code of the second factor was wrong or used before";
        self.record_failure(user, address, "wrong code", message).await;
    }

    async fn record_failure(&self, user: &str, address: IpAddr, action: &str, message: &str) {
        let user: String = user.chars().take(LONGEST_NAME).collect();
        let address = address.to_string();
        let entry = AuditEntry {
            event_type: "Access management",
            object_type: "user",
            action,
            object: &user,
            message,
            user: &user,
            source_machine: &self.machine,
            client_ip: &address,
            payload: None,
        };
        if let Err(error) = self.store.record(self.now(), &[entry]).await {
            tracing::error!(%error, "the audit log could not be written: {action} of {user:?}");
        }
    }
}
