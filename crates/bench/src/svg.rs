//! The picture: for each work a bar for each proxy, CPU time per request as a multiple of nginx, with its spread.

use std::fmt::Write as _;

use super::{proxies::NAMES, report::Row, work::Work};

const WIDTH: f64 = 920.0;
const LEFT: f64 = 120.0;
/// Room for the figures behind the bars.
const RIGHT: f64 = 190.0;
const TOP: f64 = 64.0;
const BAR: f64 = 20.0;
const STEP: f64 = 26.0;
const HEADING: f64 = 30.0;
const GAP: f64 = 18.0;
/// A bar that would be longer is cut, and says so: one slow row must not make all others unreadable.
const LONGEST: f64 = 5.0;

pub fn draw(rows: &[Row]) -> String {
    let ratios: Vec<&Row> = rows.iter().filter(|row| row.metric == "cpu_ratio_to_nginx").collect();
    let longest = ratios.iter().map(|row| row.max).fold(1.5, f64::max).min(LONGEST);
    let scale = (WIDTH - LEFT - RIGHT) / longest;

    let mut body = String::new();
    let mut y = TOP;
    for work in Work::ALL {
        let rows_of: Vec<&Row> = NAMES
            .iter()
            .filter_map(|name| {
                ratios.iter().find(|row| row.work == work.name() && row.proxy == *name).copied()
            })
            .collect();
        if rows_of.is_empty() {
            continue;
        }
        text(&mut body, 16.0, y + 18.0, "h", &format!("{} – {}", work.name(), work.about()));
        y += HEADING;
        let from = y;
        for row in rows_of {
            let cpu = rows.iter().find(|other| {
                (other.work, other.proxy, other.metric) == (row.work, row.proxy, "cpu_us_per_request")
            });
            bar(&mut body, y, row, cpu, scale, longest);
            y += STEP;
        }
        let one = LEFT + scale;
        line(&mut body, "one", (one, from - 3.0), (one, y - STEP + BAR + 3.0));
        y += GAP;
    }
    if ratios.is_empty() {
        text(&mut body, 16.0, y + 18.0, "v", "no ratios: nginx was not measured");
        y += HEADING;
    }
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" font-family="system-ui, sans-serif">
<style>
  .t {{ font-size: 18px; font-weight: 600; fill: #1b1f24 }}
  .s, .v {{ font-size: 13px; fill: #57606a }}
  .h {{ font-size: 14px; font-weight: 600; fill: #1b1f24 }}
  .n {{ font-size: 13px; fill: #1b1f24; text-anchor: end }}
  .one {{ stroke: #1b1f24; stroke-dasharray: 3 3 }}
  .spread {{ stroke: #1b1f24; stroke-width: 1.5 }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text class="t" x="16" y="28">CPU time per request, as a multiple of nginx</text>
<text class="s" x="16" y="48">shorter is better; dashed line: nginx in the same round; thin line: least to most of all rounds</text>
{body}</svg>
"##
    )
}

fn bar(body: &mut String, y: f64, row: &Row, cpu: Option<&Row>, scale: f64, longest: f64) {
    let colour = match row.proxy {
        "gatewright" => "#0969da",
        "nginx" => "#8c959f",
        "haproxy" => "#afb8c1",
        _ => "#d0d7de",
    };
    let middle = y + BAR / 2.0;
    let shown = row.median.min(longest);
    text(body, LEFT - 8.0, middle + 4.5, "n", row.proxy);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        body,
        r#"<rect x="{LEFT}" y="{y}" width="{:.1}" height="{BAR}" rx="2" fill="{colour}"/>"#,
        shown * scale
    );
    let at = |value: f64| LEFT + value.min(longest) * scale;
    if row.max > row.min {
        line(body, "spread", (at(row.min), middle), (at(row.max), middle));
    }
    let cpu = cpu.map_or_else(String::new, |cpu| format!(" ({:.1} µs)", cpu.median));
    let cut = if row.median > longest { "… " } else { "" };
    // Behind the spread, and clear of the dashed line.
    text(body, at(row.max.max(1.0)) + 8.0, middle + 4.5, "v", &format!("{cut}{:.2}×{cpu}", row.median));
}

fn text(body: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(body, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#);
}

fn line(body: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
    let _ = writeln!(body, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(proxy: &'static str, median: f64) -> Row {
        Row {
            work: "plain",
            proxy,
            metric: "cpu_ratio_to_nginx",
            median,
            min: median,
            max: median,
            unit: "ratio",
        }
    }

    #[test]
    fn long_bars_are_cut_and_keep_their_figure() {
        let picture = draw(&[row("nginx", 1.0), row("envoy", 80.0)]);
        assert!(picture.contains("… 80.00×"), "{picture}");
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        assert!(!picture.contains("gatewright"));
    }
}
