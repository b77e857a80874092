//! The whole configuration, as one document or as the sum of several.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AliasDoc, ApiDoc, ApiDocumentDoc, ApplicationDoc, AuthorizationServerDoc, DestinationDoc,
    GlobalPolicyDoc, GroupDoc, KeyMaterial, KeystoreDoc, ListenerDoc, Parts, PlanDoc, PolicyDoc, PolicyFiles,
    PolicyTemplateDoc, PortalDoc, SecretDoc, Settings, SharedSettingsDoc, SubscriptionDoc, TeamDoc,
    TeamRuleDoc, TruststoreDoc, UpstreamDoc, UrlAliasDoc, UserDoc, secret::ResolvedSecrets,
};

/// Configuration of a gateway: one file, or a folder of files that are added up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ConfigDoc {
    /// Where clients connect. Default: one listener `default` on 127.0.0.1:8080.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerDoc>,
    /// The native services behind the APIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<UpstreamDoc>,
    /// The published interfaces.
    #[serde(skip_serializing_if = "Parts::is_empty")]
    // Shared: a change of one is a change of few, and there can be very many.
    pub apis: Parts<Arc<ApiDoc>>,
    /// The consumers of the APIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applications: Vec<ApplicationDoc>,
    /// Who authenticates with a name and a password.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserDoc>,
    /// What users have in common.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupDoc>,
    /// Users who manage the same APIs, applications and plans. Only the manager looks at them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teams: Vec<TeamDoc>,
    /// What assigns assets to teams by what they are like.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub team_rules: Vec<TeamRuleDoc>,
    /// Whose tokens are accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorization_servers: Vec<AuthorizationServerDoc>,
    /// Policies of every API, or of those they select; they run before the API's own within each stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<GlobalPolicyDoc>,
    /// Sets of policies that APIs name in `templates`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policy_templates: Vec<PolicyTemplateDoc>,
    /// Values with names, for texts that take variables. Where several say what `${name}` is, a system variable comes
    /// first, then a variable that a policy has set, then the alias.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<AliasDoc>,
    /// Where alerts go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<DestinationDoc>,
    /// Other addresses of APIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub url_aliases: Vec<UrlAliasDoc>,
    /// How much of an API subscriptions may use; APIs name plans in `plans`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<PlanDoc>,
    /// Which application may call which API by which plan.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<SubscriptionDoc>,
    /// What there is to read about APIs in the developer portal. Only the manager looks at them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_documents: Vec<ApiDocumentDoc>,
    /// How the developer portal looks, and who may sign up there: at most one. Only the manager looks at it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub portals: Vec<PortalDoc>,
    /// Settings of all nodes, which the manager keeps: at most one. It is for `gatewright apply`; in the file of a node there
    /// is none, but its own `settings`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared_settings: Vec<SharedSettingsDoc>,
    /// Secrets that the manager keeps. They are for `gatewright apply`; in the file of a node there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretDoc>,
    /// Private keys with their certificates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keystores: Vec<KeystoreDoc>,
    /// Certificates of those who are trusted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub truststores: Vec<TruststoreDoc>,
    /// What holds for the whole gateway. Only one file of a folder may have it.
    pub settings: Settings,
    /// What the policies' references to secrets stand for, once they have been read.
    #[serde(skip)]
    pub resolved_secrets: ResolvedSecrets,
    /// What is in the files that policies name.
    #[serde(skip)]
    pub files: PolicyFiles,
    /// What is in keystores and truststores.
    #[serde(skip)]
    pub key_material: KeyMaterial,
}

/// A policy, of whatever level.
pub struct AnyPolicy<'a> {
    pub kind: &'a str,
    pub disabled: bool,
    pub config: &'a Value,
    /// Writes down where it is. Few are asked.
    pub path: &'a dyn Fn() -> String,
}

impl ConfigDoc {
    /// Goes through the policies of all levels.
    pub fn each_policy(&self, visit: &mut dyn FnMut(AnyPolicy<'_>)) {
        self.each_policy_in(0..self.apis.len(), visit);
    }

    /// The same, of APIs those at these places only.
    pub fn each_policy_in(
        &self,
        apis: impl IntoIterator<Item = usize>,
        visit: &mut dyn FnMut(AnyPolicy<'_>),
    ) {
        for (index, policy) in self.policies.iter().enumerate() {
            let path = || format!("policies[{index}]");
            visit(AnyPolicy {
                kind: &policy.kind,
                disabled: policy.disabled,
                config: &policy.config,
                path: &path,
            });
        }
        for (index, template) in self.policy_templates.iter().enumerate() {
            each(&template.policies, &|| format!("policyTemplates[{index}]"), visit);
        }
        for index in apis {
            let Some(api) = self.apis.get(index) else { continue };
            let own = || format!("apis[{index}]");
            each(&api.policies, &own, visit);
            for (index, resource) in api.resources.iter().enumerate() {
                each(&resource.policies, &|| format!("{}.resources[{index}]", own()), visit);
            }
            for (index, scope) in api.scopes.iter().enumerate() {
                each(&scope.policies, &|| format!("{}.scopes[{index}]", own()), visit);
            }
            for (index, operation) in api.operation_policies.iter().enumerate() {
                each(&operation.policies, &|| format!("{}.operationPolicies[{index}]", own()), visit);
            }
        }
    }
}

fn each(policies: &[PolicyDoc], place: &dyn Fn() -> String, visit: &mut dyn FnMut(AnyPolicy<'_>)) {
    for (index, policy) in policies.iter().enumerate() {
        let path = || format!("{}.policies[{index}]", place());
        visit(AnyPolicy {
            kind: &policy.kind,
            disabled: policy.disabled,
            config: &policy.config,
            path: &path,
        });
    }
}
