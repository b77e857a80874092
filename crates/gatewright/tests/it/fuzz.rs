//! Random input: nothing panics, and what is understood is understood the same way twice.

use std::time::{Duration, Instant};

use definition::NoLoader;
use engine::route::{OperationMatch, OperationTrie, Template, decode};

/// How long each test looks; enough for thousands of inputs even without optimisation.
pub(crate) const LONG_ENOUGH: Duration = Duration::from_millis(1_500);

/// xorshift64*, with a fixed seed: a failure comes again.
pub(crate) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits") % bound.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const PIECES: [&str; 24] = [
    "/", "/", "/", "a", "b", "orders", "{id}", "{a}.json", "v{x}.{y}", "*", "{", "}", "{rest+}", ".", "..",
    "%2F", "%2e", "%", "%zz", "%C3%A9", "é", ";x=1", "\\", "?",
];

fn path(random: &mut Random) -> String {
    let mut path = String::from(if random.below(10) == 0 { "" } else { "/" });
    for _ in 0..random.below(12) {
        path.push_str(random.pick(&PIECES));
    }
    path
}

#[test]
fn any_path_and_any_template_can_be_matched() {
    let (mut random, start) = (Random(0x9e37_79b9_7f4a_7c15), Instant::now());
    let mut found = 0_u32;
    while start.elapsed() < LONG_ENOUGH {
        let mut trie = OperationTrie::default();
        let mut templates = Vec::new();
        for _ in 0..random.below(20) {
            let text = path(&mut random);
            let Ok(template) = Template::parse(&text) else { continue };
            if trie.insert(&template, "GET", u32::try_from(templates.len()).unwrap()) {
                templates.push(text);
            }
        }
        for _ in 0..50 {
            let asked = format!("/{}", path(&mut random));
            let all = random.below(2) == 0;
            let Ok(decoded) = decode(&asked, all) else { continue };
            assert!(!decoded.split('/').any(|s| s == "." || s == ".."), "{asked} hides a dot segment");
            for strict in [true, false] {
                if let OperationMatch::Found(operation) = trie.find(&hyper::Method::GET, &decoded, strict) {
                    let template = &templates[operation as usize];
                    found += 1;
                    if strict && !template.contains(['{', '*', '%']) && !template.contains("..") {
                        assert_eq!(template, &*decoded, "a literal template matches nothing but itself");
                    }
                }
            }
            assert_eq!(
                trie.find(&hyper::Method::GET, &decoded, true),
                trie.find(&hyper::Method::GET, &decoded, true)
            );
        }
    }
    assert!(found > 100, "only {found} paths were found: the test has lost its bite");
}

#[test]
fn a_template_finds_the_paths_that_are_made_from_it() {
    let (mut random, start) = (Random(7), Instant::now());
    while start.elapsed() < LONG_ENOUGH / 2 {
        let text = path(&mut random);
        let Ok(template) = Template::parse(&text) else { continue };
        if text.contains(['%', '*', '\\', ';', '.']) || text.contains("rest+") {
            continue;
        }
        let mut trie = OperationTrie::default();
        assert!(trie.insert(&template, "GET", 0));
        let filled = text.replace("{id}", "7").replace("{a}", "x").replace("{x}", "1").replace("{y}", "2");
        assert_eq!(
            trie.find(&hyper::Method::GET, &filled, true),
            OperationMatch::Found(0),
            "{text} and {filled}"
        );
    }
}

const SEEDS: [&str; 3] = [
    r##"{"openapi":"3.0.3","info":{"title":"Pets","version":"1.0"},"servers":[{"url":"https://{host}/v1","variables":{"host":{"default":"a"}}}],
"paths":{"/pets/{id}":{"parameters":[{"$ref":"#/components/parameters/id"}],"get":{"operationId":"getPet","tags":["pets"],"security":[{"key":[]}],
"responses":{"200":{"description":"ok","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pet"}}}}}}}},
"components":{"parameters":{"id":{"name":"id","in":"path","required":true,"schema":{"type":"string"}}},
"schemas":{"Pet":{"properties":{"parent":{"$ref":"#/components/schemas/Pet"}}}},"securitySchemes":{"key":{"type":"apiKey","in":"header","name":"X"}}}}"##,
    "swagger: '2.0'\ninfo: {title: Old, version: 1}\nhost: a.example\nbasePath: /v1\nschemes: [https]\npaths:\n  /a/{b}:\n    post:\n      consumes: [application/json]\n      parameters:\n        - {in: path, name: b, required: true, type: string}\n        - {in: body, name: body, schema: {$ref: '#/definitions/A'}}\n      responses: {200: {description: ok}}\ndefinitions: {A: {type: object}}\n",
    "openapi: 3.1.0\ninfo:\n  title: &t New\n  version: 2024-02-30\npaths:\n  /x: &x\n    get: {responses: {default: {$ref: '#/components/responses/E'}}}\n  /y: *x\nwebhooks: {}\ncomponents:\n  responses: {E: {description: *t}}\n",
];

const SPLINTERS: [&str; 20] = [
    "{", "}", "[", "]", ":", ",", "\"", "$ref", "#/", "#/paths", "null", "*x", "&x", "\n", "  ", "- ",
    "1e999", "\u{0}", "é", "../",
];

pub(crate) fn mutate(random: &mut Random, seed: &str) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => {
                let end = (at + random.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            2 => {
                let splinter = random.pick(&SPLINTERS);
                bytes.splice(at..at, splinter.bytes());
            }
            3 => {
                let end = (at + random.below(60)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).expect("eight bits");
                }
            }
        }
    }
    bytes
}

#[test]
fn any_document_can_be_imported_or_refused() {
    let (mut random, start) = (Random(42), Instant::now());
    let (mut imported, mut refused) = (0_u32, 0_u32);
    while start.elapsed() < LONG_ENOUGH {
        let seed = SEEDS[random.below(SEEDS.len())];
        let bytes = mutate(&mut random, seed);
        match definition::import("fuzz.yaml", &bytes, &NoLoader) {
            Ok(definition) => {
                imported += 1;
                assert_eq!(
                    &definition.documents[0].bytes[..],
                    &bytes[..],
                    "the original is kept byte for byte"
                );
                // Whatever was imported can be compiled into routes or is reported, never more.
                let mut trie = OperationTrie::default();
                for (operation, position) in definition.api.operations.iter().zip(0_u32..) {
                    if let Ok(template) = Template::parse(&operation.path) {
                        trie.insert(&template, &operation.method, position);
                    }
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(
        imported > 20 && refused > 20,
        "{imported} imported, {refused} refused: the test has lost its bite"
    );
}
