//! What was measured: kept as samples, printed as tables, written as `bench.json` and drawn as `bench.svg`.

use std::{fs, path::Path, process::Command};

use serde::Serialize;

use super::{options::Options, proxies::NAMES, svg, work::Work};

/// Metrics, their units, and how their columns are headed, in the order of the columns.
const METRICS: [(&str, &str, &str); 19] = [
    ("cpu_us_per_request", "us", "CPU µs/request"),
    ("cpu_ratio_to_nginx", "ratio", "x nginx"),
    ("cpu_us_per_request_10_routes", "us", "CPU µs, 10 routes"),
    ("cpu_ratio_to_10_routes", "ratio", "x 10 routes"),
    ("cpu_us_per_request_at_rate", "us", "CPU µs at rate"),
    ("cpu_ratio_to_nginx_at_rate", "ratio", "x nginx at rate"),
    ("throughput", "requests/s", "requests/s"),
    ("live_ms", "ms", "live after ms"),
    ("settled_ms", "ms", "all new after ms"),
    ("p50_us", "us", "p50 µs"),
    ("p99_us", "us", "p99 µs"),
    ("upstream_cpu_us", "us", "upstream µs"),
    ("loadgen_cpu_us", "us", "load µs"),
    ("failed_requests", "requests", "failed"),
    ("events_dropped", "events", "events dropped"),
    ("startup_ms", "ms", "start ms"),
    ("memory_idle_kib", "KiB", "idle KiB"),
    ("memory_2000_idle_kib", "KiB", "2000 idle KiB"),
    ("kib_per_idle_connection", "KiB", "KiB/idle connection"),
];
/// From here on the columns make a table of their own.
const MEMORY: usize = 16;
/// Columns that show the spread beside the median.
const WITH_SPREAD: [&str; 5] =
    ["cpu_us_per_request", "cpu_ratio_to_nginx", "cpu_ratio_to_10_routes", "failed_requests", "live_ms"];

/// One line of `bench.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub work: &'static str,
    pub proxy: &'static str,
    pub metric: &'static str,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub unit: &'static str,
}

struct Series {
    work: Work,
    proxy: &'static str,
    metric: &'static str,
    samples: Vec<f64>,
}

#[derive(Default)]
pub struct Report {
    series: Vec<Series>,
    /// Things to know about the figures, printed where they come up and again at the end.
    notes: Vec<String>,
    gatewright_failed: bool,
}

impl Report {
    /// Starts with a word on the machine and the settings, without which figures mean nothing.
    pub fn new(options: &Options) -> Self {
        let release =
            Command::new("uname").arg("-sr").output().map(|output| output.stdout).unwrap_or_default();
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model =
            info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown processor");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!(
            "{cores} x {}, {}, {} workers, {} connections, {} rounds of {} s, fixed rate {}/s",
            model.trim_start_matches([' ', '\t', ':']),
            String::from_utf8_lossy(&release).trim(),
            options.workers,
            options.connections,
            options.rounds,
            options.slice,
            options.rate
        );
        Self::default()
    }

    pub fn add(&mut self, work: Work, proxy: &'static str, metric: &'static str, sample: f64) {
        debug_assert!(METRICS.iter().any(|known| known.0 == metric), "{metric}");
        let known =
            |series: &&mut Series| (series.work, series.proxy, series.metric) == (work, proxy, metric);
        match self.series.iter_mut().find(known) {
            Some(series) => series.samples.push(sample),
            None => self.series.push(Series { work, proxy, metric, samples: vec![sample] }),
        }
    }

    pub fn add_option(&mut self, work: Work, proxy: &'static str, metric: &'static str, sample: Option<f64>) {
        if let Some(sample) = sample {
            self.add(work, proxy, metric, sample);
        }
    }

    /// A proxy that is not installed; its rows are left out.
    pub fn missing(&mut self, proxy: &'static str, how: &str) {
        self.gatewright_failed |= proxy == "gatewright";
        self.note(format!("{proxy}: {how}"));
    }

    /// Something that keeps a figure from being taken.
    pub fn problem(&mut self, work: Work, proxy: &'static str, what: &str) {
        self.gatewright_failed |= proxy == "gatewright";
        self.note(format!("{} {proxy}: {what}", work.name()));
    }

    /// Something to know about a figure that stands.
    pub fn remark(&mut self, work: Work, proxy: &'static str, what: &str) {
        self.note(format!("{} {proxy}: {what}", work.name()));
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            println!("  note: {note}");
            self.notes.push(note);
        }
    }

    pub fn rows(&self) -> Vec<Row> {
        let rows = self.series.iter().filter_map(|series| {
            let mut samples = series.samples.clone();
            samples.sort_by(f64::total_cmp);
            let (min, max) = (*samples.first()?, *samples.last()?);
            let middle = samples.len() / 2;
            let median = if samples.len() % 2 == 1 {
                samples[middle]
            } else {
                f64::midpoint(samples[middle - 1], samples[middle])
            };
            let unit = METRICS.iter().find(|known| known.0 == series.metric)?.1;
            let (median, min, max) = (rounded(median), rounded(min), rounded(max));
            Some(Row {
                work: series.work.name(),
                proxy: series.proxy,
                metric: series.metric,
                median,
                min,
                max,
                unit,
            })
        });
        rows.collect()
    }

    /// Prints the tables of one work.
    pub fn print_work(&self, work: Work) {
        let mut rows = self.rows();
        rows.retain(|row| row.work == work.name());
        for columns in [&METRICS[..MEMORY], &METRICS[MEMORY..]] {
            print_table(&rows, columns);
        }
    }

    /// Writes the files. An error when nothing came out, or when Gatewright could not be measured everywhere.
    pub fn finish(&self, target: &Path) -> Result<(), String> {
        let rows = self.rows();
        if rows.is_empty() {
            return Err("nothing was measured".into());
        }
        let json = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        for (name, text) in [("bench.json", json + "\n"), ("bench.svg", svg::draw(&rows))] {
            let file = target.join(name);
            fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
            println!("{}wrote {}", if name == "bench.json" { "\n" } else { "" }, file.display());
        }
        if !self.notes.is_empty() {
            println!("\nnotes:");
            self.notes.iter().for_each(|note| println!("  {note}"));
        }
        if self.gatewright_failed { Err("gatewright could not be measured in full".into()) } else { Ok(()) }
    }
}

/// More digits would only claim a precision that the machine does not have.
fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn print_table(rows: &[Row], columns: &[(&'static str, &str, &str)]) {
    let columns: Vec<_> =
        columns.iter().filter(|column| rows.iter().any(|row| row.metric == column.0)).collect();
    let mut lines = vec![
        std::iter::once("proxy").chain(columns.iter().map(|column| column.2)).map(String::from).collect(),
    ];
    for proxy in NAMES {
        let cells: Vec<_> = columns
            .iter()
            .map(|column| {
                let row = rows.iter().find(|row| row.proxy == proxy && row.metric == column.0);
                row.map_or_else(|| "-".into(), cell)
            })
            .collect();
        if cells.iter().any(|cell| cell != "-") {
            lines.push(std::iter::once(proxy.to_owned()).chain(cells).collect::<Vec<_>>());
        }
    }
    if lines.len() < 2 {
        return;
    }
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..=columns.len()).map(width).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("  {cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        println!("{}", cells.collect::<String>());
    }
    println!();
}

fn cell(row: &Row) -> String {
    let digits = |value: f64| match value {
        _ if row.unit == "requests" || row.unit == "events" || value >= 1_000.0 => format!("{value:.0}"),
        _ if row.unit == "ratio" => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    };
    let median = digits(row.median);
    if WITH_SPREAD.contains(&row.metric) && row.min < row.max {
        format!("{median} ({}-{})", digits(row.min), digits(row.max))
    } else {
        median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_hold_median_and_spread() {
        let mut report = Report::default();
        for sample in [3.0, 1.0, 2.0, 10.0] {
            report.add(Work::Plain, "nginx", "cpu_us_per_request", sample);
        }
        let row = &report.rows()[0];
        assert_eq!((row.median, row.min, row.max, row.unit), (2.5, 1.0, 10.0, "us"));
        assert_eq!(cell(row), "2.5 (1.0-10.0)");
    }

    #[test]
    fn the_file_has_the_promised_fields() {
        let mut report = Report::default();
        report.add(Work::Tls, "envoy", "p99_us", 7.0);
        assert_eq!(
            serde_json::to_string(&report.rows()).unwrap(),
            r#"[{"work":"tls","proxy":"envoy","metric":"p99_us","median":7.0,"min":7.0,"max":7.0,"unit":"us"}]"#
        );
    }
}
