//! What is made beside the snapshot before is what would have been made without it, and takes over what it can.

use std::{collections::HashMap, fmt::Write};

use model::{
    ApiDoc,
    parts::{PART, Part},
};

use super::{
    tests::{Bench, parse},
    *,
};

/// Documents by their text: the same text is the same document, as it is from revision to revision in a store, and a part of
/// the list with the same documents is the same part.
#[derive(Default)]
struct Documents {
    known: HashMap<String, Arc<ApiDoc>>,
    last: Parts<Arc<ApiDoc>>,
}

impl Documents {
    fn config(&mut self, apis: &[&str], rest: &str) -> ConfigDoc {
        let mut config = parse(&format!("settings: {{}}\n{rest}"));
        let docs: Parts<Arc<ApiDoc>> = apis
            .iter()
            .map(|text| {
                let upstream = if text.contains("upstream") { "" } else { ", upstream: 'http://u'" };
                let read = || Arc::clone(&parse(&format!("apis: [{{{text}{upstream}}}]")).apis[0]);
                Arc::clone(self.known.entry((*text).to_owned()).or_insert_with(read))
            })
            .collect();
        for (number, part) in docs.parts().iter().enumerate() {
            let same = |known: &&Part<Arc<ApiDoc>>| {
                known.len() == part.len() && known.iter().zip(&**part).all(|(a, b)| Arc::ptr_eq(a, b))
            };
            config.apis.push_part(self.last.parts().get(number).filter(same).unwrap_or(part));
        }
        self.last = config.apis.clone();
        config
    }
}

/// Everything that somebody could see of a configuration.
fn told(compiled: Result<(&Snapshot, Vec<String>), Vec<String>>) -> String {
    let (snapshot, warnings) = match compiled {
        Ok(compiled) => compiled,
        Err(problems) => return format!("refused: {problems:?}"),
    };
    let mut told = format!("{warnings:?}\n");
    for path in
        ["/gateway/a", "/gateway/a/1", "/gateway/a/2", "/gateway/b", "/gateway/c", "/p", "/p/z", "/q", "/q/r"]
    {
        for host in ["one.example", "two.example"] {
            let found = snapshot.index.find(host, path);
            let found = found.map(|(api, length)| (&*snapshot.apis[api as usize].names.id, length));
            let _ = writeln!(told, "{host} {path}: {found:?}");
        }
    }
    for (api, binding) in snapshot.apis.iter().zip(&snapshot.bindings) {
        let policies: Vec<&str> = api.names.policies.iter().map(|policy| &*policy.name).collect();
        let _ = writeln!(told, "{} {policies:?} {binding:?}", api.names.id);
    }
    for upstream in &snapshot.upstreams {
        let endpoints: Vec<_> = upstream.endpoints.iter().map(|e| (e.id, &*e.url)).collect();
        let _ = writeln!(told, "{} {endpoints:?}", upstream.name);
    }
    let names = snapshot.catalog.apis.iter().map(|names| &*names.id).collect::<Vec<_>>();
    let _ = writeln!(told, "{names:?} {:?}", snapshot.catalog.endpoints);
    told
}

const A1: &str = "name: a, version: '1'";
const A2: &str = "name: a, version: '2'";
const A2_MOVED: &str = "name: a, version: '2', basePath: /q";
const B: &str = "name: b, operations: [{method: GET, path: /x}]";
const B_GOVERNED: &str = "name: b, operations: [{method: GET, path: /x}], policies: [{type: many}]";
const B_TELLS: &str = "name: b, operations: [{method: GET, path: /x}], policies: [{type: late}]";
const C: &str = "name: c, hosts: [one.example]";
const C_HOST: &str = "name: c, hosts: [two.example]";
const P: &str = "name: p, basePath: /p, templates: [t]";
const P_AT_Q: &str = "name: p, basePath: /q/r, templates: [t]";
const Q: &str = "name: q, basePath: /q/r";
const Q_BELOW_P: &str = "name: q, basePath: /p/z";
const Q_AT_P: &str = "name: q, basePath: /p";
const B_OWN: &str = "name: b, upstream: 'http://b', canary: {upstream: 'http://n', share: 10%}";
const C_OWN: &str = "name: c, upstream: 'http://c'";
const P_NAMED: &str = "name: p, basePath: /p, upstream: n";
const Q_WITHOUT: &str = "name: q, basePath: /q/r, upstream: null";
const Q_OF_TEAM: &str = "name: q, basePath: /q/r, teams: [x], plans: [y], portal: {groups: [z]}";

const TEMPLATE: &str = "policyTemplates: [{name: t, policies: [{type: many}]}]";
const GLOBAL: &str = "policyTemplates: [{name: t, policies: [{type: many}]}]
policies:
  - {type: once, name: everywhere}
  - {type: many, name: nowhere, appliesTo: {conditions: [{api: name, value: z}]}}
  - {type: many, name: of-b, appliesTo: {conditions: [{api: name, value: b}]}}";
const GLOBAL_IN_ANOTHER_ORDER: &str = "policyTemplates: [{name: t, policies: [{type: many}]}]
policies:
  - {type: many, name: of-b, appliesTo: {conditions: [{api: name, value: b}]}}
  - {type: once, name: everywhere}";

#[test]
fn it_is_what_would_be_made_from_nothing() {
    let there = "policyTemplates: [{name: t, policies: [{type: many}]}]
teams: [{name: x}]
groups: [{name: z}]
plans: [{name: y}]";
    let gone = ["teams: [{name: x}]\n", "groups: [{name: z}]\n", "\nplans: [{name: y}]"]
        .map(|part| there.replace(part, ""));
    let named = "upstreams: [{name: n, endpoints: [{url: 'http://n'}]}]";
    let others =
        "upstreams: [{name: m, endpoints: [{url: 'http://b'}]}, {name: n, endpoints: [{url: 'http://x'}]}]";
    let steps: [(&[&str], &str); 43] = [
        (&[A1, A2, B, C, P, Q], TEMPLATE),
        (&[A1, A2, B, C, P, Q], TEMPLATE),
        // One changes, one moves, one has other hosts.
        (&[A1, A2, B_GOVERNED, C, P, Q], TEMPLATE),
        (&[A1, A2_MOVED, B_GOVERNED, C, P, Q], TEMPLATE),
        (&[A1, A2_MOVED, B_GOVERNED, C_HOST, P, Q], TEMPLATE),
        // The first, the last, several in a row come and go.
        (&[A2_MOVED, B_GOVERNED, C_HOST, P, Q], TEMPLATE),
        (&[A1, A2, B, C_HOST], TEMPLATE),
        (&[C_HOST], TEMPLATE),
        (&[A1, A2, B, C_HOST, P, Q], TEMPLATE),
        // In another order.
        (&[Q, P, C_HOST, B, A2, A1], TEMPLATE),
        // What is told of one is told again.
        (&[A1, B_TELLS, C], TEMPLATE),
        (&[A1, A2, B_TELLS, C], TEMPLATE),
        // What governs all changes, and where it stands.
        (&[A1, A2, B, C, P], GLOBAL),
        (&[A1, A2, B, C, P, Q], GLOBAL),
        (&[A1, A2, B, C, P, Q], GLOBAL_IN_ANOTHER_ORDER),
        (&[A1, A2, C, P, Q], GLOBAL_IN_ANOTHER_ORDER),
        // What is refused leaves nothing behind.
        (&[A1, A2, "name: q, basePath: /gateway/a/1", C], GLOBAL_IN_ANOTHER_ORDER),
        (&[A1, A2, C, P, Q], TEMPLATE),
        // Those with an address of their own move, one into the place of the other, and back.
        (&[A1, A2, C, P, Q_BELOW_P], TEMPLATE),
        (&[A1, A2, C, P_AT_Q, Q_BELOW_P], TEMPLATE),
        (&[A1, A2, C, P_AT_Q, Q_AT_P], TEMPLATE),
        (&[A1, A2, C, P, Q_AT_P], TEMPLATE),
        (&[A1, A2, C, P, Q], TEMPLATE),
        (&[A1, A2_MOVED, C, P, Q_BELOW_P], TEMPLATE),
        // What an API names is there, and is gone while nobody touches the API.
        (&[A1, C, P, Q_OF_TEAM], there),
        (&[A1, C, P, Q_OF_TEAM], &gone[0]),
        (&[A1, C, P, Q_OF_TEAM], &gone[1]),
        (&[A1, C, P, Q_OF_TEAM], &gone[2]),
        (&[A1, C, P, Q_OF_TEAM], there),
        (&[A1, C, P, Q], there),
        // Upstreams have other places when one before them comes or goes, and another meaning when one is named.
        (&[A1, B_OWN, C_OWN, P_NAMED, Q_WITHOUT], named),
        (&[A1, B_OWN, C_OWN, P_NAMED, Q_WITHOUT], named),
        (&[A1, B_OWN, C, P_NAMED, Q_WITHOUT], named),
        (&[B_OWN, C, P_NAMED, Q_WITHOUT], named),
        (&[B_OWN, C_OWN, P_NAMED, Q_WITHOUT], others),
        (&[A1, B_OWN, C_OWN, P_NAMED], others),
        (&[A1, B_OWN, C_OWN, P_NAMED], ""),
        (&[A1, C_OWN, B_OWN], ""),
        (&[A1, B_OWN, C_OWN], ""),
        (&[A1, B_OWN, C_OWN, Q], ""),
        // One that nobody names any more is gone, and comes back.
        (&[A1, A2, C_OWN, P, Q], TEMPLATE),
        (&[A1, A2, C, P, Q], TEMPLATE),
        (&[A1, A2, C_OWN, P, Q], TEMPLATE),
    ];
    // Among few, and with parts of the list that nobody touches before and after them.
    for (before, after) in [(0, 0), (PART, 3), (PART - 3, PART + 1)] {
        let (mut documents, mut bench) = (Documents::default(), Bench::default());
        let mut different = std::collections::BTreeSet::new();
        let (first, last): (Vec<String>, Vec<String>) = (bystanders(0, before), bystanders(before, after));
        for (step, (apis, rest)) in steps.iter().enumerate() {
            let apis = first.iter().map(String::as_str).chain(apis.iter().copied());
            let apis: Vec<&str> = apis.chain(last.iter().map(String::as_str)).collect();
            let config = documents.config(&apis, rest);
            let alone = told(Bench::default().compile_config(config.clone()));
            let beside = told(bench.compile_config(config));
            assert!(
                beside == alone,
                "step {step} with {before} before and {after} after:\n{beside}\n{alone}"
            );
            different.insert(alone);
        }
        assert!(different.len() >= 30, "the steps have something to tell apart: {}", different.len());
    }
}

/// APIs that stay as they are; some have upstreams of their own, some share one.
fn bystanders(from: usize, count: usize) -> Vec<String> {
    let one = |number: usize| {
        let upstream = if number.is_multiple_of(50) { number } else { 7 };
        format!("name: z{number}, basePath: /z/{number}, upstream: 'http://z{upstream}'")
    };
    (from..from + count).map(one).collect()
}

#[test]
fn what_nothing_has_touched_is_the_same_as_before() {
    let (mut documents, mut bench) = (Documents::default(), Bench::default());
    let before = bench.compile_config(documents.config(&[A1, A2, B, C], "")).expect("it is valid").0;
    let (apis, index) = (before.apis.clone(), Arc::clone(&before.index));
    let same = |snapshot: &Snapshot| {
        snapshot.apis.iter().map(|api| apis.iter().any(|known| Arc::ptr_eq(known, api))).collect::<Vec<_>>()
    };
    let changed =
        bench.compile_config(documents.config(&[A1, A2, B_GOVERNED, C], "")).expect("it is valid").0;
    assert_eq!(same(changed), [true, true, false, true]);
    assert!(Arc::ptr_eq(&changed.index, &index), "all are found where they were");
    let moved = bench.compile_config(documents.config(&[A1, A2_MOVED, B, C], "")).expect("it is valid").0;
    assert_eq!(same(moved), [true, false, false, true]);
    assert!(!Arc::ptr_eq(&moved.index, &index));
}

#[test]
fn a_change_among_many_touches_no_other_part() {
    let (mut documents, mut bench) = (Documents::default(), Bench::default());
    let mut apis = bystanders(0, 3 * PART);
    let mut compile = |apis: &[String]| {
        let apis: Vec<&str> = apis.iter().map(String::as_str).collect();
        let snapshot = bench.compile_config(documents.config(&apis, "")).expect("it is valid").0;
        let catalog = &snapshot.catalog;
        let lists = (snapshot.apis.clone(), snapshot.bindings.clone(), catalog.apis.clone());
        (lists, Arc::clone(&snapshot.upstream_index), Arc::clone(&catalog.endpoints))
    };
    let (before, names, endpoints) = compile(&apis);
    apis[PART + 1].push_str(", description: changed");
    let (after, same_names, same_endpoints) = compile(&apis);
    fn shared<T>(before: &Parts<T>, after: &Parts<T>) -> Vec<bool> {
        before.parts().iter().zip(after.parts()).map(|(a, b)| Arc::ptr_eq(a, b)).collect()
    }
    assert_eq!(shared(&before.0, &after.0), [true, false, true], "the APIs");
    assert_eq!(shared(&before.1, &after.1), [true, false, true], "what is behind them");
    assert_eq!(shared(&before.2, &after.2), [true, false, true], "their names");
    assert!(Arc::ptr_eq(&names, &same_names) && Arc::ptr_eq(&endpoints, &same_endpoints));
    let other = before.0.iter().zip(&after.0).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
    assert_eq!(other, 1, "and of its part, nothing but the one");
}
