//! Levels of policies, from configuration to chains: who wins, what is shared, what is said about it.

use std::sync::Arc;

use http::Method;
use model::{Diagnostic, Diagnostics};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::{Compiled, Exchange, Filter, Outcome, Policy, Reason, Stage, Step};

macro_rules! test_policy {
    ($type:ident, $name:literal, $stage:ident, $($constant:ident: $constant_type:ty = $value:expr),*) => {
        /// A policy for tests.
        #[derive(Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        struct $type {
            /// Something to be wrong.
            #[serde(default)]
            size: u8,
        }

        impl Policy for $type {
            const TYPE: &'static str = $name;
            const STAGE: Stage = Stage::$stage;
            $(const $constant: $constant_type = $value;)*
            const REASONS: &'static [&'static Reason] = &[];
            const EXAMPLE: &'static str = "";

            fn compile(self, cx: &mut CompileCx<'_>) -> Result<Compiled, Diagnostic> {
                Ok(Compiled::filter(Nothing(cx.keep_state(|| self.size))))
            }
        }
    };
}

test_policy!(Once, "once", Transport,);
test_policy!(Other, "other", Transport, EXCLUDES: &'static [&'static str] = &["once"]);
test_policy!(Many, "many", RequestProcessing, REPEATABLE: bool = true);
test_policy!(Late, "late", TrafficMonitoring, REPEATABLE: bool = true, NEEDS_APPLICATION: bool = true);
test_policy!(Who, "who", IdentifyAndAccess, IDENTIFIES: bool = true);

struct Nothing(Arc<u8>);

impl Filter for Nothing {
    fn request<'a>(&'a self, exchange: &'a mut Exchange) -> Step<'a> {
        exchange.note(|| format!("size {}", self.0).into());
        Step::Done(Ok(Outcome::Passed))
    }
}

static KINDS: &[PolicyKind] = &[
    PolicyKind::of::<Once>(),
    PolicyKind::of::<Other>(),
    PolicyKind::of::<Many>(),
    PolicyKind::of::<Late>(),
    PolicyKind::of::<Who>(),
];

pub(super) fn parse(yaml: &str) -> ConfigDoc {
    let value = model::yaml::parse(yaml).unwrap_or_else(|e| panic!("{e}")).value;
    model::check::parse(value).unwrap_or_else(|e| panic!("{e}"))
}

#[derive(Default)]
pub(super) struct Bench {
    registry: StateRegistry,
    previous: Option<Snapshot>,
}

impl Bench {
    fn compile(&mut self, yaml: &str) -> Result<(&Snapshot, Vec<String>), Vec<String>> {
        self.compile_config(parse(yaml))
    }

    pub(super) fn compile_config(
        &mut self,
        config: ConfigDoc,
    ) -> Result<(&Snapshot, Vec<String>), Vec<String>> {
        let environment = Environment {
            kinds: KINDS,
            registry: &self.registry,
            workers: 1,
            clock: Clock::system(),
            alerts: Default::default(),
        };
        let input = Input { config, definitions: model::Parts::default() };
        let revision = self.previous.as_ref().map_or(1, |snapshot| snapshot.revision + 1);
        let text = |problems: Vec<Diagnostic>| problems.iter().map(ToString::to_string).collect();
        match compile(&input, &environment, self.previous.as_ref(), revision) {
            Ok((snapshot, warnings)) => Ok((self.previous.insert(snapshot), text(warnings))),
            Err(Diagnostics(problems)) => Err(text(problems)),
        }
    }
}

/// The names of what runs for a request, and of what does not.
fn chain(snapshot: &Snapshot, method: &str, path: &str) -> (String, String) {
    let api = &snapshot.apis[0];
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let operation = match api.operation(&method, path, true) {
        crate::route::OperationMatch::Found(operation) => Some(operation),
        _ => None,
    };
    let names = api.names.chain(operation);
    let slots = api.chain(operation);
    let positions: Vec<u16> =
        slots.access().iter().chain(slots.processing()).map(|slot| slot.position).collect();
    assert_eq!(names.active, positions, "names and slots agree");
    let active: Vec<&str> = names.active.iter().map(|p| &*api.names.policies[usize::from(*p)].name).collect();
    let inert = names.inert.iter().map(|inert| {
        format!("{}: {}", api.names.policies[usize::from(inert.policy)].name, api.names.why(inert.why))
    });
    (active.join(" "), inert.collect::<Vec<_>>().join("; "))
}

const LEVELS: &str = "
policies: [{type: many, name: m-global}, GLOBAL]
apis:
  - name: a
    upstream: http://u
    operations:
      - {method: GET, path: '/x/{id}', name: read, tags: [reads]}
      - {method: POST, path: '/x/{id}'}
      - {method: GET, path: /y}
    policies: [{type: many, name: m-api}, {type: once, name: o-api}]
    resources: [{path: '/x/{other}', policies: [{type: many, name: m-resource}, RESOURCE]}]
    scopes:
      - {name: s, operations: [read], resources: [/y], policies: [{type: many, name: m-scope}, SCOPE]}
    operationPolicies:
      - {operation: read, policies: [{type: many, name: m-operation}, OPERATION]}
";

/// The document with a policy `once` on some of its levels.
fn levels(with: &[&str]) -> String {
    let levels = ["GLOBAL", "RESOURCE", "SCOPE", "OPERATION"];
    levels.iter().fold(LEVELS.to_owned(), |doc, level| {
        let policy = format!("{{type: once, name: o-{}}}", level.to_lowercase());
        let policy =
            if with.contains(level) { policy } else { "{type: many, disabled: true, name: off}".to_owned() };
        doc.replace(&format!("{level}]"), &format!("{policy}]"))
    })
}

#[test]
fn repeatable_policies_add_up_and_of_the_others_the_nearest_but_global_wins() {
    let repeated = "m-global m-api m-resource m-scope m-operation";
    for (with, once) in [
        (&[][..], "o-api"),
        (&["RESOURCE"], "o-resource"),
        (&["RESOURCE", "SCOPE"], "o-scope"),
        (&["RESOURCE", "SCOPE", "OPERATION"], "o-operation"),
        (&["GLOBAL", "RESOURCE", "SCOPE", "OPERATION"], "o-global"),
    ] {
        let mut bench = Bench::default();
        let (snapshot, _) = bench.compile(&levels(with)).unwrap();
        assert_eq!(chain(snapshot, "GET", "/x/1").0, format!("{once} {repeated}"), "{with:?}");
    }
    let mut bench = Bench::default();
    let (snapshot, warnings) = bench.compile(&levels(&["RESOURCE"])).unwrap();
    assert_eq!(chain(snapshot, "POST", "/x/1").0, "o-resource m-global m-api m-resource");
    assert_eq!(chain(snapshot, "GET", "/y").0, "o-api m-global m-api m-scope");
    assert_eq!(chain(snapshot, "GET", "/none").0, "o-api m-global m-api", "requests without an operation");
    assert!(warnings.is_empty(), "giving way on some operations is what levels are for: {warnings:?}");
}

#[test]
fn what_gives_way_is_kept_with_the_reason_and_warned_of() {
    let mut bench = Bench::default();
    let (snapshot, warnings) = bench.compile(&levels(&["GLOBAL", "SCOPE"])).unwrap();
    let (_, inert) = chain(snapshot, "GET", "/y");
    assert_eq!(
        inert,
        "o-api: global policy `o-global` wins; o-scope: global policy `o-global` wins; off: it is disabled"
            .replace("; off: it is disabled", "")
    );
    assert_eq!(
        warnings,
        [
            "apis[0].policies[1]: `o-api` has no effect: it may be there once, and global policy `o-global` wins",
            "apis[0].scopes[0].policies[1]: `o-scope` has no effect: it may be there once, and global policy `o-global` wins",
        ]
    );
    let again = bench.compile(&levels(&["GLOBAL", "SCOPE"])).unwrap().1;
    assert_eq!(again, warnings, "an API that is taken over still has its warnings");
    let all = levels(&["RESOURCE"]);
    let (snapshot, _) = bench.compile(&all).unwrap();
    assert!(
        chain(snapshot, "GET", "/x/1").1.contains("o-api: policy `o-resource` of resource /x/{other} wins")
    );
    assert!(chain(snapshot, "GET", "/x/1").1.contains("off: it is disabled"));
}

#[test]
fn two_scopes_with_one_policy_and_exclusive_policies_are_refused() {
    let mut bench = Bench::default();
    let scopes = "{name: t, operations: [GET /y], policies: [{type: once, name: o-t}]}";
    let doc = levels(&["SCOPE"]).replace("scopes:\n", &format!("scopes:\n      - {scopes}\n"));
    assert_eq!(
        bench.compile(&doc).unwrap_err(),
        [
            "apis[0].scopes[1].policies[1]: an operation may have one `once`, and policy `o-scope` of scope s is for the same operations as policy `o-t` of scope t; remove one of the two, or let them be for different operations"
        ]
    );
    let other = "apis: [{name: a, upstream: 'http://u', policies: [{type: once}, {type: other}]}]";
    let errors = bench.compile(other).unwrap_err();
    assert!(
        errors[0].starts_with("apis[0].policies[1]: `once` and `other` exclude each other"),
        "{errors:?}"
    );
    let above =
        "{policies: [{type: other}], apis: [{name: a, upstream: 'http://u', policies: [{type: once}]}]}";
    let (snapshot, warnings) = bench.compile(above).unwrap();
    assert_eq!(chain(snapshot, "GET", "/"), ("other".into(), "once: global policy `other` wins".into()));
    assert_eq!(
        warnings,
        [
            "apis[0].policies[0]: `once` has no effect: the two exclude each other, and global policy `other` wins"
        ]
    );
}

#[test]
fn everything_wrong_with_policies_is_told_with_its_path() {
    let doc = "
policies: [{type: onec}, {type: once, config: {size: 900}}]
policyTemplates: [{name: unused, policies: [{type: many, config: {sizes: 1}}]}, {name: unused, policies: []}]
apis:
  - name: a
    upstream: http://u
    operations: [{method: GET, path: '/x/{id}', name: read}]
    templates: [unusd]
    resources: [{path: /X, policies: []}]
    scopes: [{name: s, operations: [raed], policies: []}, {name: s, resources: ['/x/{y}'], policies: [{type: many, config: {size: -1}}]}]
    operationPolicies: [{operation: GET /x, policies: []}]
  - {name: b, upstream: 'http://u', resources: [{path: /x, policies: []}]}
";
    let errors = Bench::default().compile(doc).unwrap_err();
    for start in [
        "policies[0].type: found `onec`, which is no policy; did you mean `once`?",
        "policies[1].config.size: ",
        "policyTemplates[0].policies[0].config.sizes: unknown key `sizes`",
        "policyTemplates[1].name: found `unused` a second time",
        "apis[0].templates[0]: found `unusd`, which is no policy template; did you mean `unused`?",
        "apis[0].resources[0].path: found `/X`, which is no path of an operation of this API",
        "apis[0].scopes[0].operations[0]: found `raed`, which is no operation of this API; did you mean `read`?",
        "apis[0].scopes[1].name: found `s` a second time",
        "apis[0].scopes[1].policies[0].config.size: ",
        "apis[0].operationPolicies[0].operation: found `GET /x`, which is no operation",
        "apis[1].resources[0].path: found `/x`, but the API has no operations",
    ] {
        assert_eq!(errors.iter().filter(|e| e.starts_with(start)).count(), 1, "{start} once in {errors:#?}");
    }
}

#[test]
fn templates_are_copied_before_the_apis_own_and_give_way_to_them() {
    let doc = "
policyTemplates:
  - {name: t, policies: [{type: many, name: m-t}, {type: once, name: o-t}, {type: who, name: w-t}]}
  - {name: u, policies: [{type: many, name: m-u}, {type: who, name: w-u}]}
apis: [{name: a, upstream: 'http://u', templates: [t, u], policies: [{type: many, name: m-own}, {type: once, name: o-own}]}]
";
    let mut bench = Bench::default();
    let (snapshot, warnings) = bench.compile(doc).unwrap();
    let (active, inert) = chain(snapshot, "GET", "/");
    assert_eq!(active, "o-own w-t m-t m-u m-own");
    assert_eq!(
        inert,
        "o-t: policy `o-own` of the API wins; w-u: policy `w-t` of the API, from template t wins"
    );
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("policyTemplates[0].policies[1]: `o-t` has no effect"), "{warnings:?}");
}

#[test]
fn operations_with_the_same_policies_share_a_chain_and_each_policy_is_compiled_once() {
    let mut bench = Bench::default();
    let (snapshot, _) = bench.compile(&levels(&[])).unwrap();
    let api = &snapshot.apis[0];
    assert_eq!(api.chains.len(), 4);
    let of = |operation: Option<u32>| {
        let slots = api.chain(operation).processing().iter();
        slots.map(|slot| std::ptr::from_ref(slot.policy.get()).cast::<()>()).collect::<Vec<_>>()
    };
    assert!(of(Some(0)).starts_with(&of(None)), "the same policies, not copies");
    let plain = "apis: [{name: a, upstream: 'http://u', operations: [{method: GET, path: /a}, {method: PUT, path: /b}], policies: [{type: many}]}]";
    let (snapshot, _) = bench.compile(plain).unwrap();
    assert_eq!((snapshot.apis[0].chains.len(), snapshot.apis[0].operation_chains.len()), (1, 0));
}

#[test]
fn a_global_policy_applies_to_what_it_selects_and_only_those_apis_are_compiled_again() {
    let doc = |size: u8, tag: &str| {
        format!(
            "
policies:
  - {{type: many, name: g, config: {{size: {size}}}, appliesTo: {{conditions: [{{api: tag, value: PUBLIC}}]}}}}
  - {{type: many, name: posts, appliesTo: {{conditions: [{{operation: method, value: post}}, {{api: name, value: a}}]}}}}
apis:
  - {{name: a, upstream: 'http://u', tags: [{tag}], operations: [{{method: GET, path: /x}}, {{method: POST, path: /x}}]}}
  - {{name: b, upstream: 'http://u', basePath: /b, tags: [private]}}
"
        )
    };
    let mut bench = Bench::default();
    let (snapshot, warnings) = bench.compile(&doc(1, "public")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(chain(snapshot, "GET", "/x").0, "g");
    assert_eq!(chain(snapshot, "POST", "/x").0, "g posts");
    let before: Vec<_> = snapshot.apis.iter().map(Arc::clone).collect();
    let (snapshot, _) = bench.compile(&doc(2, "public")).unwrap();
    assert!(!Arc::ptr_eq(&before[0], &snapshot.apis[0]) && Arc::ptr_eq(&before[1], &snapshot.apis[1]));
    let (snapshot, warnings) = bench.compile(&doc(2, "internal")).unwrap();
    assert_eq!(chain(snapshot, "POST", "/x").0, "posts");
    assert_eq!(
        warnings,
        [
            "policies[0].appliesTo: selects no operation of any API, so the policy has no effect; leave `appliesTo` out to select everything"
        ]
    );
}

#[test]
fn where_operations_are_for_every_method_the_method_of_the_request_decides() {
    let doc = "
policies: [{type: once, name: o-global, appliesTo: {conditions: [{operation: method, value: POST}]}}]
apis: [{name: a, upstream: 'http://u', policies: [{type: once, name: o-api}]}]
";
    let mut bench = Bench::default();
    let (snapshot, _) = bench.compile(doc).unwrap();
    assert_eq!(chain(snapshot, "GET", "/").0, "o-global o-api", "one chain for all methods");
    let snapshot = std::rc::Rc::new(Arc::new(bench.previous.take().unwrap()));
    for (method, expect) in [("POST", [true, false]), ("GET", [false, true]), ("PURGE", [false, true])] {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.method = Method::from_bytes(method.as_bytes()).unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let client = crate::Client { ip: address.ip(), peer: address, secure: false };
        let mut exchange = Exchange::new(
            crate::RequestId::new(0, 1),
            crate::Timestamp(0),
            client,
            snapshot.clone(),
            head.into(),
        );
        for (slot, passes) in snapshot.apis[0].chain(None).access().iter().zip(expect) {
            let Step::Done(Ok(outcome)) = slot.policy.get().request(&mut exchange) else {
                panic!("{method}")
            };
            assert_eq!(outcome == Outcome::Passed, passes, "{method}");
        }
    }
}

#[test]
fn what_works_by_application_needs_somebody_who_identifies_it() {
    let doc = "
policies: [{type: late, name: limit}]
apis:
  - {name: a, upstream: 'http://u', operations: [{method: GET, path: /x, name: x}, {method: GET, path: /y}], operationPolicies: [{operation: x, policies: [{type: who}]}]}
  - {name: b, upstream: 'http://u'}
  - {name: c, upstream: 'http://u', policies: [{type: who}]}
";
    let mut bench = Bench::default();
    let (_, warnings) = bench.compile(doc).unwrap();
    assert_eq!(
        warnings,
        [
            "policies[0]: `limit` needs an identified application, and no policy identifies one on GET /y; all callers are the same to it (in a:1.0); add `who`",
            "policies[0]: `limit` needs an identified application, and no policy identifies one; all callers are the same to it (in b:1.0); add `who`",
        ]
    );
}

#[test]
fn state_is_kept_by_place_and_name_also_when_a_namesake_is_disabled() {
    let doc = |first: &str| {
        format!(
            "apis: [{{name: a, upstream: 'http://u', operations: [{{method: GET, path: /x}}], policies: [{{type: many{first}}}, {{type: many, config: {{size: 2}}}}], resources: [{{path: /x, policies: [{{type: many, config: {{size: 3}}}}]}}]}}]"
        )
    };
    let mut bench = Bench::default();
    let of_policies = |bench: &Bench| -> Vec<String> {
        bench.registry.names().into_iter().filter(|name| name.starts_with("a:1.0/")).collect()
    };
    bench.compile(&doc("")).unwrap();
    let before = of_policies(&bench);
    assert_eq!(before.len(), 3, "{before:?}");
    assert!(
        before[0].starts_with("a:1.0/API/many/0#") && before[2].starts_with("a:1.0/resource \"/x\"/many/0#")
    );
    bench.compile(&doc(", disabled: true")).unwrap();
    assert_eq!(of_policies(&bench), before[1..]);
}

#[test]
fn candidates_of_a_route_say_why_they_lost() {
    let doc = "
apis:
  - name: pets
    version: '1'
    upstream: http://u
    operations: [{method: GET, path: '/pets/{id}'}, {method: POST, path: /pets/mine}, {method: GET, path: /pets/mine}, {method: GET, path: /toys}]
  - {name: pets, version: '2', upstream: 'http://u', hosts: [two.example]}
  - {name: root, upstream: 'http://u', basePath: /gateway}
  - {name: far, upstream: 'http://u', basePath: /far}
";
    let mut bench = Bench::default();
    let (snapshot, _) = bench.compile(doc).unwrap();
    let ask = |host: &str, method: Method, path: &str| {
        let found = snapshot.explain_route(host, &method, path).into_iter();
        found
            .map(|c| {
                format!(
                    "{}{} {}: {}",
                    if c.chosen { "*" } else { "" },
                    c.api,
                    c.operation.unwrap_or_default(),
                    c.why
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ask("any:80", Method::GET, "/gateway/pets/1/pets/mine"),
        [
            "*pets 1 : the longest base path that matches",
            "pets 2 : another host: it answers on two.example",
            "root 1.0 : pets:1 has a longer base path that matches",
            "*pets 1 GET /pets/mine: method and path match",
            "pets 1 POST /pets/mine: another method: it is for POST",
            "pets 1 GET /pets/{id}: the literal `mine` beats a parameter, which comes first whatever the method",
        ]
    );
    assert_eq!(
        ask("TWO.example", Method::GET, "/gateway/pets/x")[..2],
        [
            "*pets 2 : the newest version, which answers calls that name none",
            "pets 1 : pets:2 is for this host in particular"
        ]
    );
    assert_eq!(ask("any", Method::GET, "/far"), ["*far 1.0 : the longest base path that matches"]);
    let lost = ask("any", Method::GET, "/gateway/pets/1/pets");
    assert!(
        lost.iter().any(|c| c == "pets 1 GET /pets/{id}: another path: it differs in segment 2"),
        "{lost:?}"
    );
    assert!(ask("any", Method::GET, "/none").is_empty());
    let many: String = (0..60).map(|i| format!("{{method: GET, path: '/a/{i}'}}, ")).collect();
    let doc = format!("apis: [{{name: a, upstream: 'http://u', basePath: /, operations: [{many}]}}]");
    let (snapshot, _) = bench.compile(&doc).unwrap();
    assert_eq!(snapshot.explain_route("h", &Method::GET, "/a").len(), crate::candidates::MOST_CANDIDATES);
}

#[test]
fn url_aliases_that_mean_nothing_are_refused_and_those_that_hide_an_api_are_told() {
    let apis = "
apis:
  - {name: Orders, version: '1.0', upstream: 'http://u'}
  - {name: shop, upstream: 'http://u', basePath: /shop/old}
listeners: [{name: public, address: '127.0.0.1:0'}]
";
    let compile = |alias: &str| {
        let mut bench = Bench::default();
        let said = bench.compile(&format!("{apis}urlAliases: [{alias}]"));
        said.map(|(_, warnings)| warnings.join("\n")).map_err(|errors| errors.join("\n"))
    };
    let orders = "target: /gateway/Orders/1.0";
    assert_eq!(compile(&format!("{{name: a, path: /o, {orders}}}")), Ok(String::new()));
    assert_eq!(compile("{name: a, path: /o, listeners: {public: /gateway/Orders}}"), Ok(String::new()));
    assert_eq!(compile(&format!("{{name: a, path: /shop, exact: true, {orders}}}")), Ok(String::new()));
    for (alias, path, message) in [
        (
            format!("{{name: a, path: /shop, {orders}}}"),
            "urlAliases[0].path",
            "covers the base path /shop/old of shop:1.0",
        ),
        (
            format!("{{name: a, path: /shop/old/x, {orders}}}"),
            "urlAliases[0].path",
            "at or below the base path of shop:1.0",
        ),
        (
            format!("{{name: a, path: /shop/old, exact: true, {orders}}}"),
            "urlAliases[0].path",
            "at or below the base path of shop:1.0",
        ),
        ("{name: a, path: /o, target: /none}".to_owned(), "urlAliases[0].target", "the address of no API"),
    ] {
        let said = compile(&alias).expect("a warning is no error");
        assert!(said.contains(path) && said.contains(message), "{alias}: {said}");
    }
    let other = |second: &str| format!("{{name: a, path: /o, {orders}}}, {second}");
    for (alias, path, message) in [
        ("{name: a, path: /o}".to_owned(), "urlAliases[0].target", "missing"),
        ("{name: a, path: o, target: /gateway/Orders}".to_owned(), "urlAliases[0].path", "starts with `/`"),
        ("{name: a, path: /o%20, target: /x}".to_owned(), "urlAliases[0].path", "without encoding"),
        ("{name: a, path: /o/../x, target: /x}".to_owned(), "urlAliases[0].path", "dot segments"),
        ("{name: a, path: /o, target: '/x?y=1'}".to_owned(), "urlAliases[0].target", "query"),
        ("{name: a, path: /o, target: 'http://x/y'}".to_owned(), "urlAliases[0].target", "starts with `/`"),
        (
            "{name: a, path: /o, listeners: {none: /x}}".to_owned(),
            "urlAliases[0].listeners.none",
            "there are public",
        ),
        ("{name: a, path: /o, target: /o/x}".to_owned(), "urlAliases[0].target", "the alias itself"),
        (
            "{name: a, path: /o, exact: true, target: /o}".to_owned(),
            "urlAliases[0].target",
            "the alias itself",
        ),
        (
            "{name: a, path: /, target: /gateway/Orders}".to_owned(),
            "urlAliases[0].target",
            "the alias itself",
        ),
        (other(&format!("{{name: a, path: /p, {orders}}}")), "urlAliases[1].name", "a second time"),
        (other(&format!("{{name: b, path: /o/, {orders}}}")), "urlAliases[1].path", "a second time"),
        (other("{name: b, path: /p, target: /o/x}"), "urlAliases[1].target", "under alias `a`"),
        (
            other("{name: b, path: /p, listeners: {public: /o}}"),
            "urlAliases[1].listeners.public",
            "under alias `a`",
        ),
    ] {
        let said = compile(&alias).expect_err("it means nothing");
        assert!(said.contains(path) && said.contains(message), "{alias}: {said}");
    }
}
