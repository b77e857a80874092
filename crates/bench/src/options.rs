//! Options of the benchmark.

use std::path::PathBuf;

use super::{proxies, work::Work};

pub const USAGE: &str = "usage: make bench BENCH='[OPTION…]'
       make bench BENCH='manager [NUMBER OF APIS…]'
       make bench BENCH='policies [OPTION…]'
       make bench BENCH='identity [OPTION…]'

`manager` measures the control plane with so many APIs in its store (default: 10,000, then 100,000). `policies` measures
what each policy, and a chain of ten, adds to a request; it knows --rounds, --slice, --connections, --workers,
--gatewright, --keep, and

  --policies LIST     rows of its table (default: all)
  --write FILE        write the table into a page, between `<!-- bench policies -->` and `<!-- end -->`

`identity` measures what it adds to a request to find out who sends it, at first sight and repeated; it knows --rounds,
--slice, --connections, --write, and

  --tokens N          opaque tokens that are live while some are shown (default: 1000000)

Everything else:

Compares Gatewright with nginx, HAProxy and Envoy, interleaved over the same work. Prints a table, draws
target/bench.svg and writes target/bench.json.

  --works LIST        of plain,body64k,post1k,governed,routes10k,routes100k,tls,reload (default: all)
  --proxies LIST      of gatewright,nginx,haproxy,envoy,direct (default: all)
  --rounds N          rounds over all proxies, in random order (default: 5)
  --slice SECONDS     length of one measurement (default: 2)
  --rate N            requests per second where the rate is fixed; a fifth of it for body64k (default: 5000)
  --connections N     client connections (default: 64)
  --workers N         workers or threads of each proxy (default: 2)
  --gatewright FILE   binary to measure (default: target/release/gatewright, built when missing)
  --quick             2 rounds, slices of 0.5 s, all works but routes100k
  --keep              leave configurations and logs of the proxies in place";

#[derive(Debug)]
pub struct Options {
    pub works: Vec<Work>,
    pub proxies: Vec<String>,
    pub rounds: usize,
    pub slice: f64,
    pub rate: f64,
    pub connections: usize,
    pub workers: usize,
    pub gatewright: Option<PathBuf>,
    pub keep: bool,
    /// Rows of the table of policies; all when empty.
    pub policies: Vec<String>,
    /// Page that the table of policies, or of identity, is written into.
    pub write: Option<PathBuf>,
    /// Opaque tokens that are live while some are shown.
    pub tokens: usize,
}

impl Options {
    /// Reads the options; `None` when help is asked for.
    pub fn parse(args: &[String]) -> Result<Option<Self>, String> {
        let mut options = Self {
            works: Work::ALL.to_vec(),
            proxies: proxies::NAMES.map(String::from).to_vec(),
            rounds: 5,
            slice: 2.0,
            rate: 5_000.0,
            connections: 64,
            workers: 2,
            gatewright: None,
            keep: false,
            policies: Vec::new(),
            write: None,
            tokens: 1_000_000,
        };
        // First, so that what is said explicitly stays.
        if args.iter().any(|arg| arg == "--quick") {
            options.rounds = 2;
            options.slice = 0.5;
            options.works.retain(|&work| work != Work::Routes100k);
        }
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--works" => {
                    options.works = list(value()?)
                        .map(|name| Work::parse(name).ok_or_else(|| format!("unknown work `{name}`")))
                        .collect::<Result<_, _>>()?;
                }
                "--proxies" => {
                    options.proxies = list(value()?).map(String::from).collect();
                    if let Some(name) =
                        options.proxies.iter().find(|name| !proxies::NAMES.contains(&&***name))
                    {
                        return Err(format!("unknown proxy `{name}`"));
                    }
                }
                "--rounds" => options.rounds = number(arg, value()?, 1.0, 1_000.0)? as usize,
                "--slice" => options.slice = number(arg, value()?, 0.1, 600.0)?,
                "--rate" => options.rate = number(arg, value()?, 1.0, 1_000_000.0)?,
                "--connections" => options.connections = number(arg, value()?, 1.0, 10_000.0)? as usize,
                "--workers" => options.workers = number(arg, value()?, 1.0, 256.0)? as usize,
                "--gatewright" => options.gatewright = Some(value()?.into()),
                "--policies" => options.policies = list(value()?).map(String::from).collect(),
                "--write" => options.write = Some(value()?.into()),
                "--tokens" => options.tokens = number(arg, value()?, 1_000.0, 100_000_000.0)? as usize,
                "--quick" => {}
                "--keep" => options.keep = true,
                "--help" | "-h" => return Ok(None),
                unknown => return Err(format!("unknown option `{unknown}`\n\n{USAGE}")),
            }
        }
        Ok(Some(options))
    }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty())
}

fn number(option: &str, text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("{option}: expected a number from {least} to {most}, found `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, String> {
        Options::parse(&line.split_ascii_whitespace().map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_wrong_ones_refused() {
        let options = parse("--rounds 3 --works plain,governed --quick --proxies nginx").unwrap().unwrap();
        assert_eq!((options.rounds, options.slice, options.works.len()), (3, 0.5, 2));
        assert!(parse("--help").unwrap().is_none());
        for (line, error) in [("--works x", "unknown work"), ("--rounds 0", "from 1"), ("--rounds", "value")]
        {
            assert!(parse(line).unwrap_err().contains(error), "{line}");
        }
    }
}
