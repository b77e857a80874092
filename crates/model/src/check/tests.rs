use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU32};

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::ConfigDoc;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sample {
    name: String,
    limit: NonZeroU32,
    #[serde(default)]
    window: Option<Duration>,
    #[serde(default)]
    size: Option<ByteSize>,
    #[serde(default = "half")]
    share: Percent,
    #[serde(default)]
    key: Option<Secret>,
    #[serde(default)]
    keys: Vec<SampleKey>,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    ratio: Option<f64>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    choice: Option<SampleChoice>,
    #[serde(default)]
    tagged: Option<SampleTagged>,
    #[serde(default)]
    wrapped: Option<SampleWrapped>,
    #[serde(default)]
    untagged: Option<SampleUntagged>,
    #[serde(default)]
    map: BTreeMap<String, Duration>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    address: Option<IpAddr>,
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    addresses: Vec<IpAddr>,
}

fn half() -> Percent {
    Percent::whole(50)
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SampleKey {
    value: Option<Secret>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum SampleChoice {
    /// One after the other.
    RoundRobin,
    /// The least busy.
    LeastRequests,
    ConsistentHash,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
enum SampleTagged {
    Header { name: String },
    Claim { path: String },
    All(SampleAll),
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SampleAll {
    of: Vec<SampleTagged>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum SampleWrapped {
    Always,
    Every(Duration),
    Not(Box<SampleWrapped>),
    Any(Vec<SampleWrapped>),
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum SampleUntagged {
    Name(String),
    Both { first: u8, second: u8 },
}

/// Problems of a sample that is right but for `patch`.
fn problems(patch: Value) -> Vec<String> {
    let mut value = json!({ "name": "a", "limit": 1 });
    for (key, patch) in patch.as_object().unwrap() {
        value[key] = patch.clone();
    }
    match parse::<Sample>(value) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn says(patch: Value, expected: &[&str]) {
    assert_eq!(problems(patch.clone()), expected, "{patch}");
}

#[test]
fn what_fits_has_no_problems() {
    for patch in [
        json!({}),
        json!({ "window": "10s", "size": "1KiB", "share": "5%", "key": "${env:K}", "port": 80, "ratio": 0.5 }),
        json!({ "ratio": 1, "on": true, "choice": "roundRobin", "map": { "a": "1s" }, "address": "::1" }),
        json!({ "tagged": { "kind": "header", "name": "x" }, "wrapped": "always", "untagged": "x" }),
        json!({ "tagged": { "kind": "all", "of": [{ "kind": "claim", "path": "x" }] } }),
        json!({ "wrapped": { "any": ["always", { "not": { "every": "1s" } }] } }),
        json!({ "untagged": { "first": 1, "second": 2 } }),
    ] {
        says(patch, &[]);
    }
}

#[test]
fn a_null_under_an_optional_key_is_absent() {
    let value = json!({ "name": "a", "limit": 1, "share": null, "keys": null, "on": null, "window": null,
        "map": null, "tagged": null });
    let sample = parse::<Sample>(value).unwrap();
    assert_eq!((sample.share, sample.keys.len(), sample.on), (half(), 0, false));
    says(json!({ "name": null }), &["name: found nothing, expected a string"]);
    says(
        json!({ "map": { "a": null } }),
        &["map.a: found nothing, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w"],
    );
}

#[test]
fn a_wrong_scalar_is_told_with_what_was_expected() {
    for (patch, message) in [
        (
            json!({ "limit": "ten" }),
            r#"limit: found the string "ten", expected a whole number of at least 1"#,
        ),
        (
            json!({ "limit": "10" }),
            r#"limit: found the string "10", expected a whole number of at least 1; write it without quotes"#,
        ),
        (json!({ "limit": 0 }), "limit: found the number 0, expected a whole number of at least 1"),
        (json!({ "limit": 1.5 }), "limit: found the number 1.5, expected a whole number of at least 1"),
        (
            json!({ "limit": 5_000_000_000_u64 }),
            "limit: found the number 5000000000, expected a whole number from 1 to 4294967295",
        ),
        (json!({ "port": 65536 }), "port: found the number 65536, expected a whole number from 0 to 65535"),
        (json!({ "ratio": "x" }), r#"ratio: found the string "x", expected a number"#),
        (json!({ "on": "yes" }), r#"on: found the string "yes", expected `true` or `false`"#),
        (
            json!({ "name": 1.0 }),
            r#"name: found the number 1.0, expected a string; write it in quotes: "1.0""#,
        ),
        (json!({ "keys": "x" }), r#"keys: found the string "x", expected a list"#),
        (json!({ "map": [] }), "map: found an empty list, expected an object"),
        (
            json!({ "window": "5 m" }),
            "window: found `5 m`, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w",
        ),
        (
            json!({ "window": 30 }),
            "window: found the number 30, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w",
        ),
        (
            json!({ "size": "5KB" }),
            "size: found `5KB`, expected a number with a unit such as 512B, 64KiB, 10MiB or 1GiB",
        ),
        (json!({ "share": "101%" }), "share: found `101%`, expected a percentage such as 5%, 12.5% or 100%"),
        (
            json!({ "map": { "a": "1x" } }),
            "map.a: found `1x`, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w",
        ),
    ] {
        says(patch, &[message]);
    }
}

#[test]
fn a_key_that_is_unknown_or_missing_is_named() {
    says(json!({ "colour": 1 }), &["colour: unknown key `colour`; see the reference for the 17 known keys"]);
    says(json!({ "windw": "1s" }), &["windw: unknown key `windw`; did you mean `window`?"]);
    says(json!({ "keys": [{ "vale": "x" }] }), &["keys[0].vale: unknown key `vale`; did you mean `value`?"]);
    says(json!({ "keys": [{}, { "x": 1 }] }), &["keys[1].x: unknown key `x`; known keys: `value`"]);
    let told =
        |value| check(&schema_of::<Sample>(), &value).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told(json!({})), ["missing key `name`", "missing key `limit`"]);
    // A misspelt key is one problem, not two.
    assert_eq!(told(json!({ "nmae": "a", "limit": 1 })), ["nmae: unknown key `nmae`; did you mean `name`?"]);
    assert_eq!(told(json!([])), ["found an empty list, expected an object with the keys `name`, `limit`"]);
}

#[test]
fn of_several_alternatives_the_one_that_was_meant_is_told() {
    for (patch, message) in [
        (
            json!({ "choice": "roundrobin" }),
            "choice: found `roundrobin`, expected one of `consistentHash`, `roundRobin`, `leastRequests`; \
             did you mean `roundRobin`?",
        ),
        (
            json!({ "choice": 3 }),
            "choice: found the number 3, expected one of `consistentHash`, `roundRobin`, `leastRequests`",
        ),
        (json!({ "tagged": {} }), "tagged: missing key `kind`, expected one of `header`, `claim`, `all`"),
        (
            json!({ "tagged": { "kind": "heder" } }),
            "tagged.kind: found `heder`, expected one of `header`, `claim`, `all`; did you mean `header`?",
        ),
        (json!({ "tagged": { "kind": "header" } }), "tagged: missing key `name`"),
        (
            json!({ "tagged": { "kind": "all", "of": [{ "kind": "claim", "path": 1 }] } }),
            r#"tagged.of[0].path: found the number 1, expected a string; write it in quotes: "1""#,
        ),
        (
            json!({ "tagged": { "kind": "claim", "path": "x", "name": "y" } }),
            "tagged.name: unknown key `name`; known keys: `kind`, `path`",
        ),
        (
            json!({ "wrapped": { "evry": "1s" } }),
            "wrapped: found the keys `evry`, expected one of the keys `every`, `not`, `any`; did you mean `every`?",
        ),
        (
            json!({ "wrapped": { "any": ["always", { "every": "x" }] } }),
            "wrapped.any[1].every: found `x`, expected a number with a unit such as 250ms, 30s, 5m, 1h, 1d or 2w",
        ),
        (
            json!({ "wrapped": "alway" }),
            "wrapped: found the string \"alway\", expected `always` or an object with the key `every` or \
             an object with the key `not` or an object with the key `any`; did you mean `always`?",
        ),
        (
            json!({ "untagged": { "first": 1, "second": 300 } }),
            "untagged.second: found the number 300, expected a whole number from 0 to 255",
        ),
        (
            json!({ "untagged": 5 }),
            "untagged: found the number 5, expected a string or an object with the keys `first`, `second`",
        ),
    ] {
        says(patch, &[message]);
    }
}

#[test]
fn all_problems_come_at_once() {
    let told = problems(
        json!({ "limit": 0, "window": "1", "size": "1", "share": "1", "x": 1, "keys": [{ "y": 1 }] }),
    );
    assert_eq!(told.len(), 6, "{told:#?}");
    let told = problems(json!({ "address": "localhost", "addresses": ["::1", "x"] }));
    assert_eq!(
        told,
        [
            "address: found the string \"localhost\": invalid IP address syntax",
            "addresses[1]: found the string \"x\": invalid IP address syntax",
        ]
    );
}

#[test]
fn what_could_be_a_secret_is_not_repeated() {
    for patch in [
        json!({ "key": "hunter2" }),
        json!({ "key": 80661331 }),
        json!({ "key": ["hunter2"] }),
        json!({ "keys": ["hunter2"] }),
        json!({ "keys": [{ "value": "hunter2" }] }),
        json!({ "keys": [80661331] }),
        json!({ "on": "hunter2".repeat(10) }),
        json!({ "choice": "hunter2".repeat(10) }),
        json!({ "window": "hunter2".repeat(10) }),
        json!({ "address": "hunter2".repeat(10) }),
    ] {
        let told = problems(patch.clone());
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(!told[0].contains("hunter2") && !told[0].contains("8066"), "{told:?}");
    }
    says(
        json!({ "key": 7 }),
        &["key: found a number, expected a reference such as ${env:NAME} or ${file:/path}"],
    );
}

#[test]
fn problems_of_a_whole_configuration_have_their_place() {
    let value = json!({
        "listeners": [{ "name": "a", "address": "localhost:80" }],
        "upstreams": [{ "name": "o", "endpoints": [], "loadBalancing": "roundrobin" }],
        "apis": [
            { "name": "a", "upsteam": "x", "policies": [{ "type": "x", "config": null }, { "config": { "x": [1] } }] },
        ],
        "settings": { "explain": { "sampling": "110%" }, "workers": 0, "limits": null },
    });
    let told = parse::<ConfigDoc>(value).unwrap_err().to_string();
    assert_eq!(
        told,
        "upstreams[0].endpoints: found an empty list, expected a list of at least 1 entry\n\
         upstreams[0].loadBalancing: found `roundrobin`, expected one of `roundRobin`, `leastRequests`, \
         `consistentHash`; did you mean `roundRobin`?\n\
         apis[0].upsteam: unknown key `upsteam`; did you mean `upstream`?\n\
         apis[0].policies[1]: missing key `type`\n\
         settings.explain.sampling: found `110%`, expected a percentage such as 5%, 12.5% or 100%\n\
         settings.workers: found the number 0, expected a whole number from 1 to 65535"
    );
    let value = json!({ "apis": [{ "policies": [{ "type": "x", "config": null }] }], "settings": { "limits": null } });
    let config = parse::<ConfigDoc>(value).unwrap();
    assert_eq!(config.apis[0].policies[0].config, json!({}));
}

#[test]
fn nesting_is_bounded() {
    let deep = (0..1000).fold(json!("always"), |inner, _| json!({ "not": inner }));
    let told = problems(json!({ "wrapped": deep }));
    assert_eq!(told.len(), 1);
    assert!(told[0].ends_with("nested deeper than 128 levels"), "{told:?}");
    let circle = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/B" }, "B": { "$ref": "#/$defs/A" } } });
    assert!(check(&circle, &json!(1)).is_empty());
    let circle = json!({ "anyOf": [{ "$ref": "#" }, { "$ref": "#" }] });
    let _ = check(&circle, &json!(1));
}
