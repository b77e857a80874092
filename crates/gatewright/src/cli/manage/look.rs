//! `gatewright get`, `delete` and `export`.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::Value;

use super::{Outcome, Output, Target, encode, print, query, show, table::table};

#[derive(Debug, Args)]
pub struct Get {
    /// What to list, as in a configuration: apis, applications, upstreams, policies, aliases, users …
    #[arg(value_name = "LIST")]
    list: String,
    /// Name or id of one of them.
    name: Option<String>,
    /// Words that all have to be somewhere in the asset.
    #[arg(short, long, value_name = "WORDS")]
    q: Option<String>,
    /// Keys of the document and their values: `owner=ann,tags=pets`.
    #[arg(long, value_name = "KEY=VALUE,…")]
    filter: Option<String>,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Get {
    pub async fn run(self) -> Outcome {
        let list = encode(&self.list);
        if let Some(name) = &self.name {
            let asset = self.target.get(&format!("/{list}/{}", encode(name))).await?;
            // A table of one would hide nearly all of it.
            let output = if self.output == Output::Table { Output::Yaml } else { self.output };
            show(output, &asset, String::new);
            return Ok(ExitCode::SUCCESS);
        }
        let mut items = Vec::new();
        let mut after = None;
        loop {
            let query = query(&[
                ("limit", Some("1000")),
                ("q", self.q.as_deref()),
                ("filter", self.filter.as_deref()),
                ("after", after.as_deref()),
            ]);
            let page = self.target.get(&format!("/{list}{query}")).await?;
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                break;
            }
        }
        let columns = [
            ("NAME", "name"),
            ("REVISION", "revision"),
            ("CHANGED", "changedAt"),
            ("DESCRIPTION", "spec.description"),
        ];
        show(self.output, &Value::from(items.clone()), || table(&items, &columns));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Delete {
    /// What it is, as in a configuration: apis, applications, upstreams …
    #[arg(value_name = "LIST")]
    list: String,
    /// Its name or id.
    name: String,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl Delete {
    pub async fn run(self) -> Outcome {
        let query = query(&[("reason", self.reason.as_deref())]);
        let path = format!("/{}/{}{query}", encode(&self.list), encode(&self.name));
        let deleted = self.target.ask(Method::DELETE, &path, None).await?;
        print(format_args!("deleted, revision {}", deleted["revision"]));
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Export {
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Yaml)]
    output: Output,
    #[command(flatten)]
    target: Target,
}

impl Export {
    pub async fn run(self) -> Outcome {
        let set = self.target.get("/export").await?;
        let counts = || {
            let lists = set.as_object().into_iter().flatten();
            let rows: Vec<Value> = lists
                .map(|(list, assets)| serde_json::json!({ "list": list, "assets": assets.as_array().map(Vec::len) }))
                .collect();
            table(&rows, &[("LIST", "list"), ("ASSETS", "assets")])
        };
        show(self.output, &set, counts);
        Ok(ExitCode::SUCCESS)
    }
}
