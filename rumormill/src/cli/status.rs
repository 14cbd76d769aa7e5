//! `rumormill status`: a page about a running node.

use std::process::ExitCode;

use rumormill::node::metrics_reference;
use serde_json::Value;

use super::{
    Result,
    admin::{At, columns::cut, print_json},
    output,
    quantity::grouped,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: rumormill status --config node.toml")]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
    /// Print all numbers, in the text format of Prometheus
    #[arg(long, conflicts_with = "json")]
    metrics: bool,
    /// Print the reference of all numbers, in Markdown; asks no node
    #[arg(long, conflicts_with_all = ["json", "metrics", "admin", "config", "token"])]
    reference: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    if args.reference {
        output::line(metrics_reference().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let client = args.at.client()?;
    match (args.metrics, args.at.json) {
        (true, _) => {
            output::line(String::from_utf8_lossy(&client.get("/metrics").await?).trim_end())?
        }
        (_, true) => print_json(&client.get_json("/status").await?)?,
        (false, false) => {
            let status = client.get_json("/status").await?;
            page(&status).iter().try_for_each(output::line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn page(status: &Value) -> Vec<String> {
    let text = |key: &str| cut(status[key].as_str().unwrap_or_default(), 69);
    let mut lines = vec![
        format!("node       {}", text("node")),
        format!("name       {}", text("name")),
        format!("cluster    {}", text("cluster")),
        format!("version    {}", text("version")),
        format!("ready      {}", if status["ready"] == true { "yes" } else { "no" }),
    ];
    let addresses = status["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for (at, address) in addresses.enumerate() {
        let title = if at == 0 { "addresses" } else { "" };
        lines.push(format!("{title:<10} {}", cut(address, 69)));
    }
    lines.push(format!("members    {}", members(&status["members"])));
    lines.push(format!("refused    {} frames and greetings", count(&status["rejected"])));
    lines.push(format!("lost       {} rumors", count(&status["rumors_lost"])));
    lines.push(String::new());
    lines.extend(messages(&status["messages"]));
    lines.push(String::new());
    lines.extend(transports(&status["transports"]));
    lines.into_iter().map(|line| line.trim_end().into()).collect()
}

fn members(members: &Value) -> String {
    let standings = ["alive", "suspected", "failed", "left"];
    let counts = standings.map(|standing| format!("{} {standing}", count(&members[standing])));
    format!("{}, besides itself", counts.join(", "))
}

fn messages(messages: &Value) -> Vec<String> {
    let columns = ["sent", "carried", "uncertain", "dropped", "delivered", "overflowed"];
    let head = columns.iter().map(|column| format!(" {:>10}", column.to_uppercase()));
    let head = format!("{:<9}{}", "MESSAGES", head.collect::<String>());
    let rows = ["control", "gossip", "bulk"].iter().map(|class| {
        let counts = columns.map(|column| format!(" {:>10}", count(&messages[class][column])));
        format!("{class:<9}{}", counts.concat())
    });
    [head].into_iter().chain(rows).collect()
}

fn transports(transports: &Value) -> Vec<String> {
    let head = format!(
        "{:<9} {:>6} {:>9} {:>9} {:>8} {:>10} {:>10} {:>11}",
        "TRANSPORT", "CONNS", "DIALLED", "ACCEPTED", "FAILED", "KB IN", "KB OUT", "P50/P99 MS"
    );
    let rows = transports.as_object().into_iter().flatten().map(|(scheme, numbers)| {
        let [conns, dialled, accepted, failed] =
            ["conns", "dialled", "accepted", "failed_dials"].map(|key| count(&numbers[key]));
        let [bytes_in, bytes_out] = ["bytes_in", "bytes_out"]
            .map(|key| grouped(numbers[key].as_u64().unwrap_or_default().div_ceil(1000)));
        let times = round_trip(&numbers["round_trip_seconds"]);
        let scheme = cut(scheme, 9);
        format!(
            "{scheme:<9} {conns:>6} {dialled:>9} {accepted:>9} {failed:>8} {bytes_in:>10} \
             {bytes_out:>10} {times:>11}"
        )
    });
    [head].into_iter().chain(rows).collect()
}

/// The median and what few exceed, of questions and their answers.
fn round_trip(times: &Value) -> String {
    let [p50, p99] = ["p50", "p99"].map(|key| times[key].as_f64().map(|seconds| seconds * 1e3));
    match (p50, p99) {
        (Some(p50), Some(p99)) => format!("{p50:.1}/{p99:.1}"),
        _ => "-".into(),
    }
}

fn count(value: &Value) -> String {
    grouped(value.as_u64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::admin::columns::{WIDTH, columns_of};

    #[test]
    fn the_page_fits_a_terminal_and_whatever_is_missing_is_zero() {
        let numbers = json!({ "conns": 999_999, "dialled": 9_999_999, "accepted": 9_999_999, "failed_dials": 1,
            "bytes_in": 9_999_999_999_u64, "bytes_out": 1,
            "round_trip_seconds": { "p50": 0.001_25, "p99": 0.25 } });
        let class = json!({ "sent": 99_999_999, "delivered": 1 });
        let status = json!({
            "node": "node1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsnp67e9",
            "name": "\u{1b}[2J".repeat(40),
            "cluster": "docs",
            "addresses": ["tcp://127.0.0.1:1", "udp://127.0.0.1:1"],
            "ready": true,
            "members": { "alive": 1000 },
            "messages": { "gossip": class },
            "transports": { "quic": numbers },
        });
        let lines = page(&status);
        assert!(lines.iter().all(|line| columns_of(line) <= WIDTH), "{lines:#?}");
        assert!(
            lines.concat().contains("1,000 alive, 0 suspected")
                && !lines.concat().contains('\u{1b}')
        );
        assert!(lines.concat().contains("1.2/250.0"), "{lines:#?}");
        assert!(10 < page(&Value::Null).len());
    }
}
