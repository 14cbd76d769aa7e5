//! `rumormill members`: who is there, as a running node sees it.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    Result,
    admin::{
        At,
        columns::{WIDTH, columns_of, cut, fill, short},
        print_json,
    },
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A star marks the node itself. --json has ids and addresses in full, and metadata.

Example: rumormill members --admin /run/rumormill/admin.sock")]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let client = args.at.client()?;
    match args.at.json {
        true => print_json(&client.get_json("/members").await?)?,
        false => table(&client.get_json("/members").await?).iter().try_for_each(output::line)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines of [`WIDTH`] columns at most.
fn table(members: &Value) -> Vec<String> {
    let members = members.as_array().map(Vec::as_slice).unwrap_or_default();
    let head = ["STANDING", "NODE", "NAME", "ADDRESSES"].map(String::from);
    let rows: Vec<_> = [head].into_iter().chain(members.iter().map(row)).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| columns_of(&row[column]));
        widths.max().unwrap_or_default()
    };
    let widths = [0, 1, 2].map(width);
    let left = WIDTH - widths.iter().map(|width| width + 2).sum::<usize>();
    let line = |[standing, node, name, addresses]: &[String; 4]| {
        let [standing, node, name] =
            [(standing, 0), (node, 1), (name, 2)].map(|(text, column)| fill(text, widths[column]));
        let addresses = cut(addresses, left);
        format!("{standing}  {node}  {name}  {addresses}").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn row(member: &Value) -> [String; 4] {
    let text = |key: &str| member[key].as_str().unwrap_or_default();
    let mark = if member["self"] == true { "*" } else { "" };
    let addresses = member["addresses"].as_array().into_iter().flatten().filter_map(Value::as_str);
    [
        cut(text("standing"), 9) + mark,
        short(&cut(text("node"), 63)),
        cut(text("name"), NAME),
        addresses.collect::<Vec<_>>().join(" "),
    ]
}

/// Columns of a name.
const NAME: usize = 16;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_fits_whatever_members_say() {
        let id = "node1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsnp67e9";
        let member = |name: &str, addresses: &[&str]| {
            let standing = "suspected";
            json!({ "node": id, "name": name, "standing": standing, "addresses": addresses, "self": false })
        };
        let long = "udp://a-very-long-name-of-a-host.example.com:7946";
        let members = json!([
            { "node": id, "name": "us", "standing": "alive", "addresses": [], "self": true },
            member("\u{1b}[2J日本語日本語日本語日本語", &[long, long]),
            member("", &["tcp://127.0.0.1:1"]),
        ]);
        let lines = table(&members);
        assert!(lines.iter().all(|line| columns_of(line) <= WIDTH), "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains('\u{1b}')));
        assert_eq!(lines[1], "alive*     node1qyqszqgp…  us");
        assert!(lines[3].ends_with("tcp://127.0.0.1:1"));
        assert_eq!(table(&json!({ "no": "array" })).len(), 1);
    }
}
