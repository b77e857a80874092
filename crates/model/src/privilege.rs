//! Functional privileges: what somebody who manages Gatewright may do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! privileges {
    ($($(#[doc = $about:literal])+ $variant:ident = $name:literal,)*) => {
        /// What somebody may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum Privilege {
            $($(#[doc = $about])+ #[serde(rename = $name)] $variant,)*
        }

        impl Privilege {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// As it is called in the product.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

privileges! {
    /// Make, change and delete APIs.
    ManageApis = "Manage APIs",
    /// Activate and deactivate APIs.
    ActivateApis = "Activate/Deactivate APIs",
    /// Make, change and delete applications.
    ManageApplications = "Manage applications",
    /// Make, change and delete aliases and upstreams.
    ManageAliases = "Manage aliases",
    /// Make, change and delete global policies.
    ManageGlobalPolicies = "Manage global policies",
    /// Enable and disable global policies.
    ActivateGlobalPolicies = "Activate/Deactivate global policies",
    /// Make, change and delete policy templates.
    ManagePolicyTemplates = "Manage policy templates",
    /// Protect the gateway against attacks.
    ManageThreatProtection = "Manage threat protection configurations",
    /// Publish APIs to service registries.
    PublishToServiceRegistry = "Publish API to service registry",
    /// Make, change and delete packages and plans.
    ManagePackagesAndPlans = "Manage packages and plans",
    /// Activate and deactivate packages.
    ActivatePackages = "Activate/Deactivate packages",
    /// Publish to the developer portal.
    PublishToDeveloperPortal = "Publish to Developer Portal",
    /// See how the gateway is configured, and the audit log.
    ViewAdministration = "View administration configurations",
    /// Change URL aliases and other general configuration.
    ManageGeneralAdministration = "Manage general administration configurations",
    /// Change what keeps APIs secure: keys, secrets, authorization servers.
    ManageSecurity = "Manage security configurations",
    /// Purge cached answers.
    ManageResultCache = "Execute service result cache APIs",
    /// Say where events and alerts go.
    ManageDestinations = "Manage destination configurations",
    /// Change listeners and settings.
    ManageSystemSettings = "Manage system settings",
    /// Make, change and delete users, groups and teams.
    ManageUsers = "Manage user administration",
    /// Promote assets to other stages.
    ManagePromotions = "Manage promotions",
    /// Make, change and delete service registries.
    ManageServiceRegistries = "Manage service registries",
    /// Assign assets to other teams.
    ChangeTeams = "Change ownership/teams",
    /// Map scopes of authorization servers to APIs.
    ManageScopeMapping = "Manage scope mapping",
    /// Import assets.
    ImportAssets = "Import assets",
    /// Export assets.
    ExportAssets = "Export assets",
    /// Purge and restore events.
    ManageEvents = "Manage purge and restore runtime event",
    /// Manage the microgateways.
    ManageMicrogateways = "Manage microgateways",
    /// Make dashboards.
    ManageDashboards = "Manage Custom dashboards",
}
