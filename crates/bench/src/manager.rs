//! The control plane, with many APIs in its store: how long changes, lists and a start take, and how much memory.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::node::{Node, User, call, release};

/// APIs in one change.
const AT_ONCE: usize = 5_000;
/// How often what is short is measured.
const TIMES: usize = 15;

/// `bench manager [NUMBER…]`: a table for each number of APIs.
pub fn main(args: &[String]) -> Result<(), String> {
    let numbers: Result<Vec<usize>, _> = args.iter().map(|text| text.parse()).collect();
    let mut numbers = numbers.map_err(|_| "usage: bench manager [NUMBER OF APIS…]")?;
    if numbers.is_empty() {
        numbers = vec![10_000, 100_000];
    }
    let program = release()?;
    for apis in numbers {
        println!("\n{apis} APIs");
        measure(&program, apis).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn measure(program: &Path, apis: usize) -> io::Result<()> {
    let directory = std::env::temp_dir().join(format!("gatewright-bench-manager-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let measured = measure_in(program, &directory, apis);
    let _ = fs::remove_dir_all(&directory);
    measured
}

fn measure_in(program: &Path, directory: &Path, apis: usize) -> io::Result<()> {
    let (node, printed, _) = Node::start(program, directory)?;
    let user = User::first(&node, &printed);
    let mut made = 0;
    while made < apis {
        let until = apis.min(made + AT_ONCE);
        let set = json!({ "apis": (made..until).map(api).collect::<Vec<_>>() });
        let (time, _) = user.timed("POST", "/apply", Some(&set))?;
        if made == 0 || until == apis {
            let what = format!("apply {} with {made} there", until - made);
            println!("  {what:<32} {:>9.0} ms", ms(time));
        }
        made = until;
    }
    let mut live = Vec::new();
    for turn in 0..TIMES {
        let path = format!("/moved{turn}");
        let begin = Instant::now();
        user.timed("PATCH", "/apis/api7:1.0", Some(&json!({ "basePath": path })))?;
        // Answered by the gateway and not by the upstream, which is not there: the route is what is looked for.
        while call(node.listener, &format!("GET {path}/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))?
            .0
            == 404
        {}
        live.push(begin.elapsed());
    }
    row("one change, until it is live", live);
    let mut live = Vec::new();
    for number in apis..apis + TIMES {
        let begin = Instant::now();
        user.timed("POST", "/apis", Some(&api(number)))?;
        live.push(begin.elapsed());
    }
    row("one API more", live);
    for (what, path) in [
        ("a page of 100", "/apis?limit=100"),
        ("a search", "/apis?q=api77&limit=100"),
        ("the newest first", "/apis?sort=-changedAt&limit=100"),
    ] {
        let times: io::Result<Vec<Duration>> =
            (0..TIMES).map(|_| user.timed("GET", path, None).map(|(time, _)| time)).collect();
        row(what, times?);
    }
    println!("  memory after that                {:>9} MiB", node.memory()? >> 10);
    drop(node);
    let (node, _, took) = Node::start(program, directory)?;
    println!("  a start                          {:>9.0} ms", ms(took));
    println!("  memory after a start             {:>9} MiB", node.memory()? >> 10);
    Ok(())
}

fn api(number: usize) -> Value {
    json!({
        "name": format!("api{number}"),
        "basePath": format!("/api{number}"),
        "upstream": format!("http://127.0.0.1:1/{number}"),
        "operations": [{ "method": "GET", "path": "/x" }, { "method": "POST", "path": "/y/{id}" }],
        "policies": [{ "type": "rateLimit", "config": { "limit": 100, "window": "1m" } }],
    })
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (least, most) =
        (times.first().copied().unwrap_or_default(), times.last().copied().unwrap_or_default());
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    println!("  {what:<32} {:>9.1} ms   ({:.1} to {:.1})", ms(median), ms(least), ms(most));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
