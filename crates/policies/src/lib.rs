//! Every runtime policy, one file each, and the list of them. A new policy is its file and one line in `POLICIES`.

mod aggregate;
mod allowed_protocols;
mod api_key;
mod authorize;
mod authorize_user;
mod before;
mod bulkhead;
mod call_out;
mod call_template;
mod callback_urls;
mod conditional_errors;
mod conversion;
mod cors;
mod custom_headers;
#[cfg(test)]
mod every_policy;
mod identify;
mod keyed;
mod log_invocation;
mod masking;
mod media;
mod media_type;
mod mock;
mod monitor;
mod multipart;
mod open_policy_agent;
mod outbound_authentication;
mod rate_limit;
mod rego;
mod required_scopes;
mod result_cache;
mod routing;
mod rules;
mod schema;
mod schemas;
mod script;
mod sent_key;
mod shared_map;
mod subscription;
#[cfg(test)]
mod testing;
mod throttle;
mod transformation;
mod upstream_throughput;
mod upstream_token_keys;
mod validate_specification;
mod wasm;

use engine::PolicyKind;

pub use schema::config_schema;

/// All policies, in the order that the reference lists them.
pub static POLICIES: &[PolicyKind] = &[
    PolicyKind::of::<bulkhead::Bulkhead>(),
    PolicyKind::of::<cors::Cors>(),
    PolicyKind::of::<allowed_protocols::AllowedProtocols>(),
    PolicyKind::of::<media_type::SetMediaType>(),
    PolicyKind::of::<api_key::ApiKey>(),
    PolicyKind::of::<validate_specification::ValidateSpecification>(),
    PolicyKind::of::<identify::IdentifyAndAuthorize>(),
    PolicyKind::of::<authorize_user::AuthorizeUser>(),
    PolicyKind::of::<authorize::Authorize>(),
    PolicyKind::of::<rego::Rego>(),
    PolicyKind::of::<open_policy_agent::OpenPolicyAgent>(),
    PolicyKind::of::<required_scopes::RequiredScopes>(),
    PolicyKind::of::<subscription::Subscription>(),
    PolicyKind::of::<transformation::RequestTransformation>(),
    PolicyKind::of::<conversion::RequestConversion>(),
    PolicyKind::of::<masking::RequestMasking>(),
    PolicyKind::of::<custom_headers::CustomHeaders>(),
    PolicyKind::of::<mock::Mock>(),
    PolicyKind::of::<call_out::RequestCallOut>(),
    PolicyKind::of::<script::RequestScript>(),
    PolicyKind::of::<wasm::Wasm>(),
    PolicyKind::of::<callback_urls::CallbackUrlReplacer>(),
    PolicyKind::of::<routing::Routing>(),
    PolicyKind::of::<outbound_authentication::OutboundAuthentication>(),
    PolicyKind::of::<upstream_token_keys::UpstreamTokenKeys>(),
    PolicyKind::of::<call_out::ResponseCallOut>(),
    PolicyKind::of::<bulkhead::ApplicationBulkhead>(),
    PolicyKind::of::<rate_limit::RateLimit>(),
    PolicyKind::of::<throttle::Throttle>(),
    PolicyKind::of::<result_cache::ResultCache>(),
    PolicyKind::of::<upstream_throughput::UpstreamThroughput>(),
    PolicyKind::of::<aggregate::Aggregate>(),
    PolicyKind::of::<monitor::MonitorPerformance>(),
    PolicyKind::of::<monitor::MonitorSla>(),
    PolicyKind::of::<log_invocation::LogInvocation>(),
    PolicyKind::of::<transformation::ResponseTransformation>(),
    PolicyKind::of::<conversion::ResponseConversion>(),
    PolicyKind::of::<masking::ResponseMasking>(),
    PolicyKind::of::<script::ResponseScript>(),
    PolicyKind::of::<conditional_errors::ConditionalErrorProcessing>(),
    PolicyKind::of::<masking::FaultMasking>(),
    PolicyKind::of::<script::ErrorScript>(),
];

#[cfg(test)]
mod tests {
    use engine::{CompileCx, Stage, compile, state::StateRegistry};

    use super::*;

    #[test]
    fn every_example_compiles_and_every_reason_is_named_once() {
        let registry = StateRegistry::default();
        let environment = compile::Environment {
            kinds: POLICIES,
            registry: &registry,
            workers: 1,
            clock: engine::Clock::system(),
            alerts: engine::Alerts::default(),
        };
        let mut codes = std::collections::HashMap::new();
        for kind in POLICIES {
            let example = model::yaml::parse(kind.example).unwrap().value;
            let mut cx = CompileCx::new(&environment, kind.type_name);
            kind.compile(example, &mut cx).unwrap_or_else(|e| panic!("{}: {e}", kind.type_name));
            for reason in kind.reasons {
                // Two policies may refuse for the same reason, but not for two reasons of one name.
                let known: &engine::Reason = codes.entry(reason.code).or_insert(*reason);
                assert!(std::ptr::eq(known, *reason), "{} is declared twice", reason.code);
            }
            assert!(kind.stage <= Stage::ErrorHandling);
        }
    }
}
