//! What is made beside the snapshot before is what would have been made without it, and takes over what it can.

use std::{collections::HashMap, fmt::Write};

use super::{
    tests::{Bench, parse},
    *,
};

/// Documents by their text: the same text is the same document, as it is from revision to revision in a store.
#[derive(Default)]
struct Documents(HashMap<String, Arc<ApiDoc>>);

impl Documents {
    fn config(&mut self, apis: &[&str], rest: &str) -> ConfigDoc {
        let mut config = parse(&format!("settings: {{}}\n{rest}"));
        config.apis = apis
            .iter()
            .map(|text| {
                let read =
                    || Arc::clone(&parse(&format!("apis: [{{{text}, upstream: 'http://u'}}]")).apis[0]);
                Arc::clone(self.0.entry((*text).to_owned()).or_insert_with(read))
            })
            .collect();
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
    for path in ["/gateway/a", "/gateway/a/1", "/gateway/a/2", "/gateway/b", "/gateway/c", "/p", "/q", "/q/r"]
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
const Q: &str = "name: q, basePath: /q/r";

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
    let steps: [(&[&str], &str); 18] = [
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
    ];
    let (mut documents, mut bench) = (Documents::default(), Bench::default());
    let mut different = std::collections::BTreeSet::new();
    for (step, (apis, rest)) in steps.into_iter().enumerate() {
        let config = documents.config(apis, rest);
        let alone = told(Bench::default().compile_config(config.clone()));
        let beside = told(bench.compile_config(config));
        assert_eq!(beside, alone, "step {step}");
        different.insert(alone);
    }
    assert!(different.len() >= 15, "the steps have something to tell apart: {}", different.len());
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
