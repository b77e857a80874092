use model::{check, yaml};

use super::{
    super::{Escape, Template, testing},
    *,
};

fn doc(text: &str) -> ConditionDoc {
    check::parse(yaml::parse(text).unwrap().value).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn compile(text: &str) -> Result<Condition, Diagnostic> {
    Condition::compile(&doc(text), &mut LanguageCx::default())
}

fn single(operator: Operator, variable: &str, value: Option<&str>) -> Result<Condition, Diagnostic> {
    let doc = ConditionDoc {
        variable: Some(variable.to_owned()),
        operator: Some(operator),
        value: value.map(str::to_owned),
        ..ConditionDoc::default()
    };
    Condition::compile(&doc, &mut LanguageCx::default())
}

/// Checklist 15.
#[test]
fn every_operator_decides_and_its_negation_is_the_opposite() {
    use Operator as O;
    let exchange = testing::exchange();
    let negation = |operator: O| O::ALL[O::ALL.iter().position(|other| *other == operator).unwrap() + 1];
    for (operator, variable, value, expect) in [
        (O::Equals, "${request.headers.X-One}", Some("1"), true),
        (O::Equals, "${request.headers.X-One}", Some("2"), false),
        (O::Equals, "${request.headers.X-One}", Some("${request.headers.X-One}"), true),
        (O::Equals, "${request.headers.X-Empty}", Some(""), true),
        (O::Equals, "${request.headers.X-Empty}", Some("${unset}"), true),
        (O::Equals, "${request.headers.None}", Some(""), false),
        (O::EqualsIgnoreCase, "${apiName}", Some("oRDERS"), true),
        (O::EqualsIgnoreCase, "${apiName}", Some("order"), false),
        (O::EqualsIgnoreCase, "${request.headers.None}", Some("x"), false),
        (O::Contains, "${apiName}", Some("der"), true),
        (O::Contains, "${apiName}", Some("DER"), false),
        (O::Contains, "${request.headers.None}", Some(""), false),
        (O::Exists, "${request.headers.X-Empty}", None, true),
        (O::Exists, "${request.headers.None}", None, false),
        (O::Exists, "${request.query.q}", None, true),
        (O::Range, "${inboundIP}", Some("10.0.0.0/8"), true),
        (O::Range, "${inboundIP}", Some("10.1.2.1-10.1.2.4"), true),
        (O::Range, "${inboundIP}", Some("10.1.2.3"), true),
        (O::Range, "${inboundIP}", Some("192.168.0.0/16"), false),
        (O::Range, "${inboundIP}", Some("${inboundIP}"), true),
        (O::Range, "${inboundIP}", Some("${apiName}"), false),
        (O::Range, "${request.headers.X-Number}", Some("1-5,40-50"), true),
        (O::Range, "${request.headers.None}", Some("1-5"), false),
        (O::GreaterThan, "${request.headers.X-Number}", Some("9"), true),
        (O::GreaterThan, "${request.headers.X-Number}", Some("42.5"), false),
        (O::GreaterThan, "${apiName}", Some("1"), false),
        (O::GreaterThan, "${request.headers.None}", Some("1"), false),
        (O::GreaterThan, "${request.headers.X-Number}", Some("${apiName}"), false),
        (O::LessThan, "${request.headers.X-Number}", Some("100"), true),
        (O::LessThan, "${request.headers.X-Number}", Some("42.5"), false),
        (O::LessThan, "${request.headers.None}", Some("1"), false),
        (O::StartsWith, "${request.path}", Some("/orders/"), true),
        (O::StartsWith, "${request.path}", Some("/pets/"), false),
        (O::StartsWith, "${request.headers.None}", Some(""), false),
        (O::EndsWith, "${apiVersion}", Some(".1"), true),
        (O::EndsWith, "${apiVersion}", Some(".2"), false),
        (O::EndsWith, "${request.headers.None}", Some(""), false),
        (O::Matches, "${request.path}", Some("^/orders/[0-9]"), true),
        (O::Matches, "${request.path}", Some("^orders"), false),
        (O::Matches, "${request.headers.None}", Some(".*"), false),
    ] {
        let holds = |operator| single(operator, variable, value).unwrap().holds(&exchange);
        assert_eq!(holds(operator), expect, "{variable} {operator:?} {value:?}");
        assert_eq!(holds(negation(operator)), !expect, "{variable} not {operator:?} {value:?}");
    }
}

#[test]
fn conditions_are_put_together() {
    let exchange = testing::exchange();
    let (yes, no) = ("{variable: '${user}', operator: exists}", "{variable: '${user}', operator: notExists}");
    for (text, expect) in [
        (format!("all: [{yes}, {yes}]"), true),
        (format!("all: [{yes}, {no}]"), false),
        (format!("any: [{no}, {yes}]"), true),
        (format!("any: [{no}, {no}]"), false),
        (format!("not: {no}"), true),
        (format!("not: {{all: [{yes}, {{any: [{yes}, {no}]}}]}}"), false),
        ("cel: 'request.method == \"POST\"'".to_owned(), true),
        (format!("any: [{no}, {{cel: 'api.name == \"Orders\"'}}]"), true),
        ("cel: 'request.headers[\"none\"] == \"x\"'".to_owned(), false),
        ("not: {cel: 'request.headers[\"none\"] == \"x\"'}".to_owned(), true),
    ] {
        assert_eq!(compile(&text).unwrap().holds(&exchange), expect, "{text}");
    }
    let mut notes = Vec::new();
    let failing = compile("cel: 'request.headers[\"none\"] == \"x\"'").unwrap();
    assert!(!failing.holds_noting(&exchange, &mut |note| notes.push(note)));
    assert!(notes.len() == 1 && notes[0].contains("none"), "{notes:?}");
}

#[test]
fn conditions_are_told_in_words() {
    for (text, expect) in [
        ("{variable: '${user}', operator: exists}", "${user} exists"),
        (
            "{variable: user, operator: notEquals, value: 'a${date}$${b}'}",
            "${user} does not equal `a${date}$${b}`",
        ),
        (
            "{variable: inboundIP, operator: range, value: '10.0.0.1/8,1.1.1.1-1.1.1.2,-5--1,7'}",
            "${inboundIP} is within `10.0.0.0/8, 1.1.1.1-1.1.1.2, -5--1, 7`",
        ),
        (
            "{any: [{cel: 'true'}, {all: [{variable: a, operator: matches, value: 'x+'}, {not: {cel: 'false'}}]}]}",
            "CEL true or (${a} matches `x+` and not (CEL false))",
        ),
    ] {
        assert_eq!(compile(text).unwrap().describe(), expect);
    }
}

#[test]
fn bodies_are_asked_for_wherever_they_are_mentioned() {
    let needs = compile("{all: [{variable: user, operator: equals, value: '${request.payload}'}, {not: {variable: '${response.payload.jsonPath[$.a]}', operator: exists}}]}").unwrap().needs();
    assert!(needs.request_body && needs.response_body);
    assert_eq!(compile("cel: 'true'").unwrap().needs(), Needs::default());
}

#[test]
fn mistakes_have_a_path() {
    for (text, path, message) in [
        ("{}", "", "found none, expected exactly one of"),
        ("{variable: a, cel: 'true'}", "", "found variable and cel"),
        ("all: []", "all", "found 0 conditions"),
        ("any: [{cel: 'true'}, {operator: equals}]", "any[1]", "found none"),
        ("{cel: 'true', value: a}", "value", "without `variable`"),
        ("{variable: a}", "operator", "missing"),
        ("not: {variable: a, operator: equals}", "not.value", "missing"),
        ("{variable: a, operator: exists, value: x}", "value", "expected none"),
        ("all: [{variable: '${request.heders.a}', operator: exists}]", "all[0].variable", "is no variable"),
        ("{variable: a, operator: equals, value: '${x'}", "value", "without its `}`"),
        ("{variable: a, operator: matches, value: '('}", "value", "is no regular expression"),
        ("{variable: a, operator: matches, value: '${b}'}", "value", "found variables"),
        ("{variable: a, operator: range, value: '1-x'}", "value", "expected ranges"),
        ("{variable: a, operator: lessThan, value: many}", "value", "expected a number"),
        ("not: {cel: '1 +'}", "not.cel", "at character"),
    ] {
        let problem = compile(text).unwrap_err();
        assert_eq!(problem.path, path, "{text}: {problem}");
        assert!(problem.message.contains(message), "{text}: {problem}");
    }
    let deep = (0..50).fold(doc("cel: 'true'"), |inner, _| ConditionDoc {
        not: Some(Box::new(inner)),
        ..ConditionDoc::default()
    });
    assert!(Condition::compile(&deep, &mut LanguageCx::default()).is_err());
}

/// A fixed seed: what fails once fails again.
#[test]
fn odd_texts_never_panic() {
    const PARTS: [&str; 48] = [
        "${",
        "}",
        "$",
        "$$",
        "{",
        "[",
        "]",
        "(",
        ")",
        ".",
        "request",
        "response",
        "payload",
        "jsonPath",
        "xpath",
        "regex",
        "headers",
        "path",
        "query",
        "claims",
        "'",
        "\"",
        "\\",
        "$..",
        "@",
        "?",
        "*",
        "//",
        "::",
        "|",
        "é",
        "\u{0}",
        "\n",
        "-",
        "+",
        "1",
        "9999999999999999999",
        " ",
        "==",
        "&&",
        "!",
        "a",
        "has(",
        ".map(x,",
        "😀",
        "text()",
        "^",
        "]}",
    ];
    let exchange = testing::exchange();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..2_000 {
        let mut text = String::new();
        if round % 3 == 0 {
            text.push_str(
                [
                    "${request.payload.jsonPath[$",
                    "${request.payload.xpath[",
                    "${response[a].",
                    "${request.path.regex[",
                ][next(4)],
            );
        }
        for _ in 0..next(14) {
            text.push_str(PARTS[next(PARTS.len())]);
        }
        if round % 3 == 0 {
            text.push_str("]}");
        }
        let cx = &mut LanguageCx::default();
        if let Ok(template) = Template::compile(&text, cx) {
            for escape in [Escape::Header, Escape::UrlPath, Escape::Json, Escape::Xml, Escape::Text] {
                template.render(&exchange, escape);
            }
        }
        if let Ok(target) = super::super::Target::compile(&text, cx) {
            let mut exchange = testing::exchange();
            let _ = target.set(&mut exchange, &text);
            let _ = target.remove(&mut exchange);
        }
        let operator = Operator::ALL[next(Operator::ALL.len())];
        let test = ConditionDoc {
            variable: Some(if round % 2 == 0 { text.clone() } else { "request.path".to_owned() }),
            operator: Some(operator),
            value: Some(text.clone()),
            ..ConditionDoc::default()
        };
        let cel = ConditionDoc { cel: Some(text), ..ConditionDoc::default() };
        for doc in [test, cel] {
            if let Ok(condition) = Condition::compile(&doc, cx) {
                condition.holds(&exchange);
                condition.describe();
            }
        }
    }
}
