use std::fs;
use std::path::Path;

use crate::loader::{FileLoader, Loader};
use crate::location::{normalize, relative_to, resolve};
use crate::{Definition, NoLoader, import};

use super::{Files, bodies, names, parameters, warnings};

const MAIN: &str = "openapi: 3.0.0
info: {title: T, version: '1'}
paths:
  /a: {$ref: 'paths/a.yaml'}
  /b:
    get:
      parameters: [{$ref: 'common.yaml#/components/parameters/Limit'}]
      responses: {200: {$ref: './common.yaml#/components/responses/Ok'}}
components:
  schemas:
    Local: {type: string}
    Remote: {$ref: 'schemas/pet%20one.json#/Pet'}
";

fn files() -> Files {
    Files::new(&[
        (
            "/apis/paths/a.yaml",
            "get:\n  operationId: a\n  parameters: [{$ref: '../common.yaml#/components/parameters/Back'}]\n",
        ),
        (
            "/apis/common.yaml",
            "components:
  parameters:
    Limit: {name: limit, in: query, schema: {type: integer}}
    Back: {name: back, in: query, schema: {$ref: 'api.yaml#/components/schemas/Local'}}
  responses:
    Ok: {content: {a/b: {schema: {$ref: 'schemas/pet%20one.json#/Pet'}}}}
",
        ),
        ("/apis/schemas/pet one.json", "{\"Pet\": {\"type\": \"object\"}}"),
    ])
}

fn main_document(location: &str) -> Definition {
    import(location, MAIN.as_bytes(), &files()).expect("it is read")
}

#[test]
fn references_into_other_documents_are_followed() {
    let definition = main_document("/apis/api.yaml");
    assert_eq!(warnings(&definition), [""; 0]);
    assert_eq!(names(&definition), ["GET /a a", "GET /b GET /b"]);
    assert_eq!(
        parameters(&definition.api.operations[0]),
        ["query back #/components/schemas/Local"],
        "a way back leads to the main document"
    );
    assert_eq!(
        parameters(&definition.api.operations[1]),
        ["query limit common.yaml#/components/parameters/Limit/schema"]
    );
    assert_eq!(bodies(&definition.api.operations[1].responses[0].bodies), ["a/b schemas/pet one.json#/Pet"]);
}

#[test]
fn documents_are_kept_byte_for_byte_main_first() {
    let definition = main_document("/apis/api.yaml");
    let found: Vec<_> =
        definition.documents.iter().map(|d| (d.location.as_str(), d.bytes.to_vec())).collect();
    let text = |location: &str| files().load(location).expect("it is there");
    assert_eq!(
        found,
        [
            ("/apis/api.yaml", MAIN.as_bytes().to_vec()),
            ("paths/a.yaml", text("/apis/paths/a.yaml")),
            ("common.yaml", text("/apis/common.yaml")),
            ("schemas/pet one.json", text("/apis/schemas/pet one.json")),
        ]
    );
}

#[test]
fn documents_that_cannot_be_read_are_warned_of() {
    let text = "openapi: 3.0.0
info: {title: T, version: '1'}
paths:
  /a: {$ref: gone.yaml}
  /b: {get: {parameters: [{$ref: 'broken.yaml#/P'}, {$ref: 'other.yaml#/P'}]}}
components: {schemas: {S: {properties: {default: {$ref: 'gone.yaml#/S'}, p: {$ref: gone2.yaml}}}}}
";
    let files = Files::new(&[("broken.yaml", "a: b: c"), ("other.yaml", "P: {name: p}\nP: {name: q}\n")]);
    let definition = import("api.yaml", text.as_bytes(), &files).expect("it is read");
    let parameters = "paths./b.get.parameters";
    assert_eq!(
        warnings(&definition),
        [
            "paths./a: the document `gone.yaml` cannot be read: there is no such file".to_owned(),
            format!(
                "{parameters}[0]: the document `broken.yaml` cannot be read: line 1: not valid YAML: \
                 mapping values are not allowed in this context (column 5); a text with `: ` in it needs quotes; \
                 keys of one mapping start in the same column"
            ),
            "other.yaml:2: P: the key is given more than once; the last one counts".to_owned(),
            "components.schemas.S.properties.p: the document `gone2.yaml` cannot be read: there is no such file"
                .to_owned(),
            "paths./a: `gone.yaml` leads nowhere: the document cannot be read; it is left out".to_owned(),
            format!("{parameters}[0]: `broken.yaml#/P` leads nowhere: there is nothing at that path; it is left out"),
            "other.yaml: P: a parameter needs `name` and `in`; it is left out".to_owned(),
        ]
    );
    let kept: Vec<_> = definition.documents.iter().map(|d| d.location.as_str()).collect();
    assert_eq!(kept, ["api.yaml", "broken.yaml", "other.yaml"], "what came is exported, even broken");
}

#[test]
fn a_definition_alone_reaches_nothing() {
    let text = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths: {/a: {$ref: '/etc/passwd'}}\n";
    let definition = import("api.yaml", text.as_bytes(), &NoLoader).expect("it is read");
    assert_eq!(definition.documents.len(), 1);
    assert!(warnings(&definition)[0].contains("other documents are not read here"));
}

#[test]
fn locations_are_resolved_against_the_document() {
    let table = [
        ("/a/b/main.yaml", "c.yaml", "/a/b/c.yaml"),
        ("/a/b/main.yaml", "./c.yaml", "/a/b/c.yaml"),
        ("/a/b/main.yaml", "../c.yaml", "/a/c.yaml"),
        ("/a/b/main.yaml", "../../../../c.yaml", "/c.yaml"),
        ("/a/b/main.yaml", "/c.yaml", "/c.yaml"),
        ("/a/b/main.yaml", "c%20d.yaml", "/a/b/c d.yaml"),
        ("/a/b/main.yaml", "https://h/x/../y.yaml", "https://h/y.yaml"),
        ("main.yaml", "c.yaml", "c.yaml"),
        ("main.yaml", "../c.yaml", "../c.yaml"),
        ("x/main.yaml", "../../c.yaml", "../c.yaml"),
        ("https://h/a/main.yaml?v=1", "c.yaml", "https://h/a/c.yaml"),
        ("https://h/a/main.yaml", "/c.yaml?x=../y", "https://h/c.yaml?x=../y"),
        ("https://h/a/main.yaml", "//g/c.yaml", "https://g/c.yaml"),
        ("https://h", "c.yaml", "https://h/c.yaml"),
        ("https://h/a/main.yaml", "http://g/c.yaml", "http://g/c.yaml"),
        ("https://h/a/main.yaml", "../../../etc/passwd", "https://h/etc/passwd"),
    ];
    for (base, reference, expect) in table {
        assert_eq!(resolve(base, reference), expect, "{reference} in {base}");
    }
    assert_eq!(normalize("./a//b/../c.yaml"), "a/c.yaml");
}

#[test]
fn names_of_documents_are_relative_to_the_main_one() {
    let table = [
        ("/a/main.yaml", "/a/b/c.yaml", "b/c.yaml"),
        ("/a/b/main.yaml", "/a/c.yaml", "../c.yaml"),
        ("main.yaml", "../c.yaml", "../c.yaml"),
        ("../main.yaml", "c.yaml", "c.yaml"),
        ("https://h/a/main.yaml", "https://h/a/c.yaml", "c.yaml"),
        ("https://h/a/main.yaml", "https://g/c.yaml", "https://g/c.yaml"),
        ("main.yaml", "https://g/c.yaml", "https://g/c.yaml"),
        ("main.yaml", "/c.yaml", "/c.yaml"),
    ];
    for (main, location, expect) in table {
        assert_eq!(relative_to(main, location), expect, "{location} from {main}");
    }
}

#[test]
fn files_are_read_below_the_root_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("apis");
    fs::create_dir_all(root.join("sub")).expect("a folder");
    fs::write(root.join("sub/in.yaml"), "in").expect("a file");
    fs::write(folder.path().join("out.yaml"), "out").expect("a file");
    fs::File::create(root.join("large.yaml")).and_then(|f| f.set_len(65 << 20)).expect("a file");
    let loader = FileLoader::beside(&root.join("main.yaml"));
    let load = |path: &Path| loader.load(&path.to_string_lossy());

    assert_eq!(load(&root.join("sub/in.yaml")).expect("it is read"), b"in");
    assert_eq!(load(&root.join("sub/../sub/in.yaml")).expect("it is read"), b"in");
    let table = [
        (root.join("none.yaml"), "there is no such file"),
        (folder.path().join("out.yaml"), "outside"),
        (folder.path().join("none.yaml"), "outside"),
        (root.join("../out.yaml"), "outside"),
        (root.join("sub"), "not a regular file"),
        (root.join("large.yaml"), "larger than 64 MiB"),
        ("https://example.com/x.yaml".into(), "URL"),
    ];
    for (path, part) in table {
        let error = load(&path).expect_err("it should be refused");
        assert!(error.contains(part), "{}: {error}", path.display());
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("out.yaml"), root.join("link.yaml")).expect("a link");
        assert!(load(&root.join("link.yaml")).expect_err("it should be refused").contains("outside"));
        std::os::unix::fs::symlink(root.join("sub/in.yaml"), root.join("inner.yaml")).expect("a link");
        assert_eq!(load(&root.join("inner.yaml")).expect("it is read"), b"in");
    }
}
