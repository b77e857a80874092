//! Reports of test runs: for a terminal, and as JUnit XML for build servers.

use std::fmt::Write;

use super::{FileReport, Report, TestReport};

impl Report {
    /// As text, for a terminal.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for file in &self.files {
            // Writing to a String cannot fail.
            let _ = write_file(&mut out, file);
        }
        let (passed, failed, unusable) = (self.passed(), self.failed(), self.unusable());
        let _ = write!(out, "{passed} passed, {failed} failed");
        if unusable > 0 {
            let _ = write!(out, ", {unusable} of the files cannot be used");
        }
        out
    }

    /// As JUnit XML.
    pub fn to_junit(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
        for file in &self.files {
            let _ = write_suite(&mut out, file);
        }
        out.push_str("</testsuites>\n");
        out
    }
}

fn write_file(out: &mut String, file: &FileReport) -> std::fmt::Result {
    // The filter left nothing of it.
    if file.tests.is_empty() && file.problems.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}", file.file)?;
    if !file.problems.is_empty() {
        writeln!(out, "{}\n", file.problems)?;
        return Ok(());
    }
    for test in &file.tests {
        let result = if test.passed { "ok    " } else { "FAILED" };
        writeln!(out, "  {result}  {}  {:.1} ms", test.name, test.millis)?;
        if !test.passed {
            for line in details(test).lines() {
                writeln!(out, "{}", format!("          {line}").trim_end())?;
            }
        }
    }
    writeln!(out)
}

/// What was expected, what was found, and how that came about.
fn details(test: &TestReport) -> String {
    let mut out = String::new();
    for mismatch in &test.mismatches {
        let _ = writeln!(out, "{}: expected {}, found {}", mismatch.what, mismatch.expected, mismatch.found);
    }
    if let Some(record) = &test.record {
        let _ = write!(out, "\n{}", record.to_text());
    }
    out
}

fn write_suite(out: &mut String, file: &FileReport) -> std::fmt::Result {
    let name = escape(&file.file);
    let unusable = usize::from(!file.problems.is_empty());
    let failed = file.tests.iter().filter(|test| !test.passed).count();
    let seconds = file.tests.iter().map(|test| test.millis).sum::<f64>() / 1_000.0;
    writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\" errors=\"{unusable}\" time=\"{seconds:.4}\">",
        file.tests.len() + unusable
    )?;
    if unusable > 0 {
        let problems = escape(&file.problems.to_string());
        writeln!(out, "    <testcase name=\"{name}\" classname=\"{name}\" time=\"0\">")?;
        writeln!(
            out,
            "      <error message=\"the file cannot be used\">{problems}</error>\n    </testcase>"
        )?;
    }
    for test in &file.tests {
        let line = test.line.map_or(String::new(), |line| format!(" line=\"{line}\""));
        write!(
            out,
            "    <testcase name=\"{}\" classname=\"{name}\" file=\"{name}\"{line} time=\"{:.4}\"",
            escape(&test.name),
            test.millis / 1_000.0
        )?;
        match test.mismatches.first() {
            None => writeln!(out, "/>")?,
            Some(first) => {
                let message = format!("{}: expected {}, found {}", first.what, first.expected, first.found);
                let (message, details) = (escape(&message), escape(&details(test)));
                writeln!(
                    out,
                    ">\n      <failure message=\"{message}\">{details}</failure>\n    </testcase>"
                )?;
            }
        }
    }
    writeln!(out, "  </testsuite>")
}

/// Text for XML, in elements and in attributes. What XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use model::{Diagnostic, Diagnostics};

    use super::*;
    use crate::testing::Mismatch;

    fn report() -> Report {
        let failed = TestReport {
            name: "b <c>".to_owned(),
            line: Some(3),
            passed: false,
            millis: 1.25,
            mismatches: vec![Mismatch {
                what: "status".to_owned(),
                expected: "200".to_owned(),
                found: "401\u{1}".to_owned(),
            }],
            record: None,
        };
        let passed =
            TestReport { name: "a".to_owned(), passed: true, mismatches: Vec::new(), ..failed_like() };
        let tests = vec![passed, failed];
        let bad = Diagnostics::from(Diagnostic::error("tests", "missing").in_file("y", Some(1)));
        Report {
            files: vec![
                FileReport { file: "x".to_owned(), problems: Diagnostics::default(), tests },
                FileReport { file: "y".to_owned(), problems: bad, tests: Vec::new() },
            ],
        }
    }

    fn failed_like() -> TestReport {
        TestReport {
            name: String::new(),
            line: None,
            passed: false,
            millis: 0.5,
            mismatches: Vec::new(),
            record: None,
        }
    }

    #[test]
    fn a_terminal_shows_a_line_for_each_test_and_what_went_wrong() {
        assert_eq!(
            report().to_text(),
            "x\n  ok      a  0.5 ms\n  FAILED  b <c>  1.2 ms\n          status: expected 200, found 401\u{1}\n\ny\ny:1: tests: missing\n\n1 passed, 1 failed, 1 of the files cannot be used"
        );
    }

    #[test]
    fn a_build_server_gets_valid_xml() {
        let xml = report().to_junit();
        for part in [
            "<testsuite name=\"x\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"0.0018\">",
            "<testcase name=\"a\" classname=\"x\" file=\"x\" time=\"0.0005\"/>",
            "<testcase name=\"b &lt;c&gt;\" classname=\"x\" file=\"x\" line=\"3\" time=\"0.0013\">",
            "<failure message=\"status: expected 200, found 401\">",
            "<error message=\"the file cannot be used\">y:1: tests: missing</error>",
        ] {
            assert!(xml.contains(part), "{part} is missing in\n{xml}");
        }
    }
}
