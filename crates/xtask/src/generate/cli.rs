//! The reference of the command line: what the binary itself says with `--help`.

use std::{fmt::Write, path::PathBuf, process::Command};

use crate::cargo;

pub fn page() -> Result<String, String> {
    let program = build()?;
    let help = help(&program, &[])?;
    let mut out = format!(
        "# Command line\n\n\
         What `gatewright --help` and the help of each command say. A failure ends with exit status 1, wrong arguments with 2;\n\
         `gatewright status` ends with 2 when the latest configuration is not the one that is served.\n\n\
         ```text\n{help}```\n"
    );
    for command in commands(&help) {
        let own = self::help(&program, &[command])?;
        // Writing to a String cannot fail.
        let _ = write!(out, "\n## gatewright {command}\n\n```text\n{own}```\n");
        for inner in commands(&own) {
            let own = self::help(&program, &[command, inner])?;
            let _ = write!(out, "\n### gatewright {command} {inner}\n\n```text\n{own}```\n");
        }
    }
    Ok(out)
}

/// Builds the binary, and finds it beside this program.
fn build() -> Result<PathBuf, String> {
    let mut build = cargo();
    build.args(["build", "-q", "--bin", "gatewright"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    match build.status() {
        Ok(status) if status.success() => {}
        _ => return Err("the binary `gatewright` could not be built".into()),
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(own.with_file_name("gatewright"))
}

fn help(program: &PathBuf, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(args)
        .arg("--help")
        // The same width, whoever asks.
        .env("COLUMNS", "100")
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!("gatewright {} --help failed", args.join(" ")));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    Ok(text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// The commands, as the help lists them; what goes on from the line before is indented further.
fn commands(help: &str) -> Vec<&str> {
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_the_help() {
        let help =
            "Usage: x\n\nCommands:\n  up    Serve\n        files\n  help  Print\n\nOptions:\n  -h  Help\n";
        assert_eq!(commands(help), ["up"]);
    }
}
