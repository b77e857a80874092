use serde_json::{Value, json};

use super::{parse, parse_value, scalar_text};

#[track_caller]
fn value(text: &str) -> Value {
    let (value, warnings) = parse_value(text).expect("the text should be read");
    assert_eq!(warnings, [], "no warnings expected for {text:?}");
    value
}

#[track_caller]
fn warnings(text: &str) -> Vec<String> {
    let parsed = parse(text).expect("the text should be read");
    parsed.warnings.iter().map(|w| format!("{}: {w}", w.line.unwrap_or_default())).collect()
}

/// Line and text of the error.
#[track_caller]
fn error(text: &str) -> (u32, String) {
    let error = parse(text).expect_err("the text should be refused");
    assert_eq!(parse_value(text).expect_err("the text should be refused"), error);
    (error.line.unwrap_or_default(), error.to_string())
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let table = [
        ("", json!(null)),
        ("~", json!(null)),
        ("null", json!(null)),
        ("Null", json!(null)),
        ("nULL", json!("nULL")),
        ("true", json!(true)),
        ("True", json!(true)),
        ("TRUE", json!(true)),
        ("tRue", json!("tRue")),
        ("FALSE", json!(false)),
        ("yes", json!("yes")),
        ("no", json!("no")),
        ("on", json!("on")),
        ("off", json!("off")),
        ("y", json!("y")),
        ("0", json!(0)),
        ("-12", json!(-12)),
        ("+12", json!(12)),
        ("010", json!(10)),
        ("0x1F", json!(31)),
        ("0o17", json!(15)),
        ("0b1", json!("0b1")),
        ("1_000", json!("1_000")),
        ("0x", json!("0x")),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
        ("100000000000000000000", json!(1e20)),
        ("1.5", json!(1.5)),
        ("1.", json!(1.0)),
        (".5", json!(0.5)),
        ("-1.5e-3", json!(-0.0015)),
        ("1e3", json!(1000.0)),
        (".", json!(".")),
        ("-", json!([null])),
        ("--", json!("--")),
        ("e3", json!("e3")),
        ("1e", json!("1e")),
        ("1.2.3", json!("1.2.3")),
        ("inf", json!("inf")),
        ("nan", json!("nan")),
        ("2024-01-15", json!("2024-01-15")),
        ("2023-02-30", json!("2023-02-30")),
        ("2001-12-14t21:59:43.10-05:00", json!("2001-12-14t21:59:43.10-05:00")),
        ("12:30:45", json!("12:30:45")),
        ("'true'", json!("true")),
        ("\"12\"", json!("12")),
        ("'~'", json!("~")),
        ("!!str 12", json!("12")),
        ("!!int '12'", json!(12)),
        ("!!float '1.5'", json!(1.5)),
        ("!!bool 'true'", json!(true)),
        ("! 12", json!("12")),
        ("!<tag:yaml.org,2002:str> 12", json!("12")),
        ("!custom 12", json!(12)),
        ("\"\\u00e9\\x41\"", json!("éA")),
        ("|\n  a\n  b\n", json!("a\nb\n")),
        (">-\n  a\n  b\n", json!("a b")),
    ];
    for (text, expect) in table {
        assert_eq!(value(text), expect, "{text:?}");
        if !text.contains('\n') && text != "-" {
            assert_eq!(value(&format!("a: {text}")), json!({ "a": expect }), "{text:?} as an entry");
        }
    }
}

#[test]
fn numbers_without_a_form_in_json_stay_text_with_a_warning() {
    for text in [".inf", "-.inf", "+.INF", ".nan", ".NaN", "1e999", "0xFFFFFFFFFFFFFFFFFF"] {
        let parsed = parse(&format!("a:\n- {text}")).expect("it is read");
        assert_eq!(parsed.value, json!({ "a": [text] }));
        assert_eq!(parsed.warnings.len(), 1, "{text}");
        assert_eq!((parsed.warnings[0].path.as_str(), parsed.warnings[0].line), ("a[0]", Some(2)));
    }
    assert_eq!(warnings("a: !!int x"), ["1: a: the text does not fit its tag; it is kept as text"]);
}

#[test]
fn keys_are_text_as_written() {
    let read = value("200: a\n1.0: b\non: c\nnull: d\n~: e\n0x1: f\n'q': g\n\"\": h\n");
    assert_eq!(
        read,
        json!({ "200": "a", "1.0": "b", "on": "c", "null": "d", "~": "e", "0x1": "f", "q": "g", "": "h" })
    );
}

#[test]
fn order_of_keys_is_kept() {
    for text in ["{\"b\": 1, \"a\": 2, \"c\": 3}", "b: 1\na: 2\nc: 3"] {
        let keys: Vec<_> = value(text).as_object().expect("a mapping").keys().cloned().collect();
        assert_eq!(keys, ["b", "a", "c"]);
    }
}

#[test]
fn json_and_flow_yaml_are_both_read() {
    let table = [
        ("{\"a\": [1, 2.5, \"x\", null, true]}", json!({ "a": [1, 2.5, "x", null, true] })),
        ("  [\"\\ud83d\\ude00\"]", json!(["😀"])),
        ("{a: b, c: [d, e]}", json!({ "a": "b", "c": ["d", "e"] })),
        ("{\"a\": 1,}", json!({ "a": 1 })),
        ("[1, 2] # done", json!([1, 2])),
        ("{\n\t\"a\": 1\n}", json!({ "a": 1 })),
    ];
    for (text, expect) in table {
        assert_eq!(value(text), expect, "{text}");
    }
}

#[test]
fn byte_order_mark_and_line_ends_do_not_matter() {
    let expect = json!({ "a": 1, "b": ["c"] });
    for text in [
        "\u{feff}a: 1\nb:\n- c\n",
        "a: 1\r\nb:\r\n- c\r\n",
        "\u{feff}{\"a\": 1, \"b\": [\"c\"]}",
        "a: 1\rb:\r- c",
    ] {
        assert_eq!(value(text), expect, "{text:?}");
    }
}

#[test]
fn last_of_two_keys_counts_and_is_warned_of() {
    let message = "the key is given more than once; the last one counts";
    for text in ["x:\n- a: 1\n  a: 2\n  b: 2\n", "{\"x\": [\n{\"a\": 1,\n\"b\": 2, \"a\": 2}]}"] {
        let parsed = parse(text).expect("it is read");
        assert_eq!(parsed.value, json!({ "x": [{ "a": 2, "b": 2 }] }), "{text}");
        assert_eq!(warnings(text), [format!("3: x[0].a: {message}")], "{text}");
    }
}

#[test]
fn anchors_aliases_and_merges() {
    let table = [
        ("a: &x {b: 1}\nc: *x", json!({ "a": { "b": 1 }, "c": { "b": 1 } })),
        ("a: &x 1\n*x : 2", json!({ "a": 1, "1": 2 })),
        ("&k key: 1\nb: *k", json!({ "key": 1, "b": "key" })),
        ("- &x 1\n- &x 2\n- *x", json!([1, 2, 2])),
        (
            "base: &b {x: 1, y: 2}\nz:\n  <<: *b\n  y: 3",
            json!({ "base": { "x": 1, "y": 2 }, "z": { "y": 3, "x": 1 } }),
        ),
        ("<<: [{x: 1}, {x: 2, y: 3}]\nz: 0", json!({ "z": 0, "x": 1, "y": 3 })),
        ("'<<': 1", json!({ "<<": 1 })),
    ];
    for (text, expect) in table {
        assert_eq!(value(text), expect, "{text}");
    }
    assert_eq!(warnings("a:\n  <<: 3"), ["2: a.<<: only mappings can be merged; the value is left out"]);
}

#[test]
fn oddities_are_read_with_a_warning() {
    let parsed = parse("a: 1\n---\nb: 2\n").expect("it is read");
    assert_eq!(parsed.value, json!({ "a": 1 }));
    assert_eq!(
        warnings("a: 1\n---\nb: 2\n"),
        ["2: the file holds more than one document; only the first is used"]
    );

    let parsed = parse("a:\n  {{ name }}: 1\n  b: 2\n").expect("it is read");
    assert_eq!(parsed.value, json!({ "a": { "b": 2 } }));
    assert_eq!(parsed.warnings[0].path, "a");
    assert!(parsed.warnings[0].message.contains("cannot be a key"));

    let many: String = (0..1000).map(|_| "a: 1\n").collect();
    let list = warnings(&many);
    assert_eq!(list.len(), 201);
    assert_eq!(list[200], "0: 799 more warnings are left out");
}

#[test]
fn lines_are_those_of_the_key_or_the_nearest_parent() {
    let yaml =
        "# comment\napis:\n- name: a\n  policies:\n  - type: x\n    config:\n      k.l: 1\n- name: b\n";
    let json = "{\n\"apis\": [\n{ \"name\": \"a\",\n\"policies\": [\n{ \"type\": \"x\",\n\"config\": {\n\"k.l\": 1 } } ] },\n{} ] }";
    for text in [yaml, json] {
        let marks = parse(text).expect("it is read").marks;
        let table = [
            ("apis", 2),
            ("apis[0]", 3),
            ("apis[0].name", 3),
            ("apis[0].policies", 4),
            ("apis[0].policies[0].config", 6),
            ("apis[0].policies[0].config.k.l", 7),
            ("apis[0].policies[0].config.k.l.m", 7),
            ("apis[0].policies[0].config.absent[3].x", 6),
            ("apis[0].policies[7]", 4),
            ("apis[1]", 8),
        ];
        for (path, line) in table {
            assert_eq!(marks.line(path), Some(line), "{path} in {text}");
        }
        assert_eq!(marks.line(""), marks.line("absent"));
    }
    assert_eq!(super::Marks::default().line("a"), None);
}

#[test]
fn errors_name_the_line_and_say_what_to_do() {
    let table = [
        ("a: 1\nb:\n\t- c: 1\n", 3, "indent with spaces"),
        ("a: 1\nb: c: d\n", 2, "needs quotes"),
        ("a: @b\n", 1, "needs quotes"),
        ("a: 'b\nc: d\n", 1, "not closed"),
        ("a: `b`\n", 1, "unexpected character: ```"),
        ("a: \"\\q\"\n", 1, "backslash"),
        ("a: [1, 2\nb: 3\n", 2, "is not closed"),
        ("a: *b\n", 1, "needs quotes"),
        ("a: &x [*x]\n", 1, "stands inside the node"),
        ("a: 1\n b: 2\n", 2, "same column"),
        ("a: 1\nb\n", 2, "expected `:` after a key"),
        ("{\"a\": 1,\n\"b\" 2}", 2, "not valid JSON: expected `:` (column 5)"),
        ("[1,\n2", 2, "is not closed"),
        ("a: 1\nb: \0", 2, "NUL"),
    ];
    for (text, line, part) in table {
        let (found, message) = error(text);
        assert!(message.contains(part), "{text:?}: {message}");
        assert_eq!(found, line, "{text:?}: {message}");
    }
}

#[test]
fn empty_text_is_null() {
    for text in ["", "\n", "# only a comment\n", "---\n", "--- \n...\n", "\u{feff}"] {
        assert_eq!(value(text), Value::Null, "{text:?}");
    }
}

#[test]
fn text_of_a_scalar_is_found_as_written() {
    let table = [
        ("info:\n  title: x\n  version: 1.10\n", Some("1.10")),
        (
            "openapi: 3.0\nservers: [{url: {info: 1}}]\ninfo: {a: [b, {c: d}], version: 1.0, x: y}\n",
            Some("1.0"),
        ),
        ("{\"info\": {\"version\": 2.50}}", Some("2.50")),
        ("{\"info\": {\"version\": \"a\\tb\"}, \"x\": [1]}", Some("a\tb")),
        ("{\"info\": {\"version\": 2.50,},}", Some("2.50")),
        ("{\"info\": 2}", None),
        ("{\"info\": {\"version\": {}}}", None),
        ("info: 3\n", None),
        ("x: {version: 1}\ninfo: {}\nversion: 3", None),
        ("info: {version: [1]}", None),
        ("- 1", None),
        ("", None),
        ("info: {version: 1", Some("1")),
    ];
    for (text, expect) in table {
        assert_eq!(scalar_text(text, &["info", "version"]).as_deref(), expect, "{text}");
    }
    assert_eq!(scalar_text("swagger: 2.00", &["swagger"]).as_deref(), Some("2.00"));
}

#[test]
fn lines_in_quotes_and_brackets_need_no_indentation() {
    let table = [
        ("x:\n  a: 'b\n  c'\n  d: e\n", json!({ "x": { "a": "b c", "d": "e" } })),
        ("x:\n  a: 'it''s\n\n''c'\n  d: e\n", json!({ "x": { "a": "it's\n'c", "d": "e" } })),
        ("x:\n  - \"b\\\n  \\\"c\"\n  - é\n", json!({ "x": ["b\"c", "é"] })),
        ("x:\r\n  a: 'b\r\n  c'\r\n", json!({ "x": { "a": "b c" } })),
        ("x:\n  a: [\n  b,\n  c\n  ]\n  d: 1\n", json!({ "x": { "a": ["b", "c"], "d": 1 } })),
        ("a:\n  - [b, # x\n  c d\ne]\n  - f\n", json!({ "a": [["b", "c d e"], "f"] })),
        ("a: {b: 'c\nd', e: 'f\ng',\nh: i}\n", json!({ "a": { "b": "c d", "e": "f g", "h": "i" } })),
        ("tags: ['one\ntwo',\nthree]\n", json!({ "tags": ["one two", "three"] })),
    ];
    for (text, expect) in table {
        assert_eq!(value(text), expect, "{text:?}");
    }
    let many: String = (0..500).map(|n| format!("- a: 'é {n}\n  b'\n  c: [1,\n  2]\n")).collect();
    let expect: Vec<_> = (0..500).map(|n| json!({ "a": format!("é {n} b"), "c": [1, 2] })).collect();
    assert_eq!(value(&many), json!(expect));
    let marks = parse(&many).expect("it is read").marks;
    assert_eq!(marks.line("[499].c"), Some(1999), "lines stay where they are");
    assert_eq!(scalar_text("- x: 'a\n  b'\n", &["x"]), None);
    assert_eq!(scalar_text("a:\n  x: 'a\n  b'\nv: 1.10", &["v"]).as_deref(), Some("1.10"));

    let (line, message) = error("x:\n  a: 'b\n  c'\n  d: e: f\n");
    assert_eq!(line, 4, "the error is the one that is left: {message}");
    assert!(error("x:\n  a: 'b\n  c: d\n").1.contains("not closed"));
}

#[test]
fn mending_indentation_takes_no_more_time_than_the_text_allows() {
    let flow = format!("a:\n  b: [{}", "[a,\n'x',\n".repeat(100));
    let items = format!("a:\n  - [{}", "a,\n".repeat(5_000));
    let quotes = format!("a:\n  - [{}", "'x\ny',".repeat(2_000));
    let anchors = format!("a:\n{}", "  - &x 'a\n  b'\n".repeat(2_000));
    for text in [flow, items, quotes] {
        assert!(parse_value(&text).is_err());
    }
    assert!(parse_value(&anchors).is_ok());
}

#[test]
fn alias_bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
    }
    assert!(error(&bomb).1.contains("too large"));

    let long = "x".repeat(1 << 20);
    let text = format!("a: &a {long}\nb: [{}]", "*a, ".repeat(10_000));
    assert!(error(&text).1.contains("too large"), "long texts count by their length");
}

#[test]
fn deep_nesting_is_refused_without_harm() {
    let block = |depth: usize| (0..depth).map(|d| format!("{}a:\n", " ".repeat(d))).collect::<String>();
    let table = [
        "[".repeat(1_000_000),
        "{\"a\":".repeat(1_000_000),
        "- ".repeat(1_000_000),
        "? ".repeat(100_000),
        "{a: ".repeat(100_000),
        block(2_000),
    ];
    for text in table {
        let (_, message) = error(&text);
        assert!(message.contains("levels deep"), "{message}");
    }
    assert!(parse_value(&block(250)).is_ok());
    assert!(
        parse_value(&format!("{}{}", "[".repeat(200), "]".repeat(200))).is_ok(),
        "deeper than serde_json goes"
    );

    // Each alias is harmless; together they are 400 levels deep.
    let mut nested = "a0: &a0 []\n".to_owned();
    for level in 1..400 {
        nested.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert!(error(&nested).1.contains("levels deep"));
}

#[test]
fn endless_brackets_do_not_fill_the_memory() {
    let error =
        parse_value(&format!("- b: c\n- [{}]", "a,".repeat(2 << 20))).map(drop).expect_err("it is refused");
    assert!(error.message.contains("longer than 2 MiB"), "{error}");
    assert_eq!(error.line, Some(2));
}

#[test]
fn long_keys_do_not_make_long_paths() {
    let key = "k".repeat(100_000);
    let text = format!("{{\"{key}\": {{\"a\": 1, \"a\": 2}}}}");
    let (_, warnings) = parse_value(&text).expect("it is read");
    assert!(warnings[0].path.len() < 3_000);
}
