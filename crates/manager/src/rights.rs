//! Who may do what: functional privileges, and the groups that have them.

/// A functional privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    ManageApis,
    ManageAliases,
    ManagePolicyTemplates,
    ManageGlobalPolicies,
    ManageApplications,
    ManageDestinations,
    ManageUsers,
    ManageSystemSettings,
    ViewAdministration,
    ImportAssets,
    ExportAssets,
}

impl Privilege {
    const ALL: [Self; 11] = [
        Self::ManageApis,
        Self::ManageAliases,
        Self::ManagePolicyTemplates,
        Self::ManageGlobalPolicies,
        Self::ManageApplications,
        Self::ManageDestinations,
        Self::ManageUsers,
        Self::ManageSystemSettings,
        Self::ViewAdministration,
        Self::ImportAssets,
        Self::ExportAssets,
    ];
    /// What providers of APIs have.
    const PROVIDER: [Self; 5] = [
        Self::ManageApis,
        Self::ManageAliases,
        Self::ManageApplications,
        Self::ImportAssets,
        Self::ExportAssets,
    ];

    /// As it is called in the product.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ManageApis => "Manage APIs",
            Self::ManageAliases => "Manage aliases",
            Self::ManagePolicyTemplates => "Manage policy templates",
            Self::ManageGlobalPolicies => "Manage global policies",
            Self::ManageApplications => "Manage applications",
            Self::ManageDestinations => "Manage destination configurations",
            Self::ManageUsers => "Manage user administration",
            Self::ManageSystemSettings => "Manage system settings",
            Self::ViewAdministration => "View administration configurations",
            Self::ImportAssets => "Import assets",
            Self::ExportAssets => "Export assets",
        }
    }
}

/// The group of those who may do everything.
pub const ADMINISTRATORS: &str = "Administrators";
const GATEWAY_ADMINISTRATORS: &str = "API-Gateway-Administrators";
const PROVIDERS: &str = "API-Gateway-Providers";

/// Groups that are always there.
pub const PREDEFINED: [&str; 3] = [ADMINISTRATORS, GATEWAY_ADMINISTRATORS, PROVIDERS];

/// What the members of these groups may do.
pub fn privileges<'a>(groups: impl IntoIterator<Item = &'a str>) -> Vec<Privilege> {
    let mut privileges: Vec<Privilege> = groups
        .into_iter()
        .flat_map(|group| match group {
            ADMINISTRATORS | GATEWAY_ADMINISTRATORS => &Privilege::ALL[..],
            PROVIDERS => &Privilege::PROVIDER[..],
            _ => &[],
        })
        .copied()
        .collect();
    privileges.sort_unstable();
    privileges.dedup();
    privileges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_add_up_and_others_give_nothing() {
        assert_eq!(privileges([ADMINISTRATORS, PROVIDERS]), Privilege::ALL);
        assert_eq!(privileges([PROVIDERS, PROVIDERS]).len(), Privilege::PROVIDER.len());
        assert!(!privileges([PROVIDERS]).contains(&Privilege::ManageUsers));
        assert!(privileges(["Everybody"]).is_empty());
    }
}
