#!/usr/bin/env bash
# Three nodes on this machine, each over other carriers, from a file each: they find each other by a name,
# agree on who is there, and hear what one of them broadcasts. `cargo test` runs this, too.
#
#     rumormill/tests/three-nodes.sh target/debug/rumormill
set -euo pipefail

program=${1:?name the program, as in target/debug/rumormill}
folder=$(mktemp -d)
end=$((SECONDS + ${DEADLINE:-60}))
declare -A process

stop() {
    # They may have ended by themselves.
    kill -KILL "${process[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap stop EXIT

fail() {
    echo "three-nodes: $*" >&2
    tail -n 20 "$folder"/*.out "$folder"/*.err >&2 || true
    exit 1
}

# Waits for a condition, which is a command, and says what was waited for if it never comes.
await() {
    local what=$1
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || fail "$what: not in time"
        sleep 0.1
    done
}

# The start of a node whose file says all of it.
start() {
    local name=$1
    "$program" node --config "$folder/$name.toml" >"$folder/$name.out" 2>"$folder/$name.err" &
    process[$name]=$!
}

# A file with what the nodes have in common, and what is read from standard input besides.
configure() {
    local name=$1
    cat - "$folder/common.toml" >"$folder/$name.toml" <<TOML
$(cat)
admin.socket = "$folder/$name.admin"
node.name = "$name"
TOML
}

says() {
    grep -q "$2" "$folder/$1.out" 2>/dev/null
}

members() {
    "$program" members --admin "$folder/$1.admin" --json
}

# Who is there as a node sees it: ids, and how many are alive.
view() {
    local seen
    seen=$(members "$1") || return 1
    grep -o '"node":"[a-z0-9]*"' <<<"$seen" | sort
    grep -o '"standing":"[a-z]*"' <<<"$seen" | sort | uniq -c
}

agree() {
    local first second third
    first=$(view one) && second=$(view two) && third=$(view three) || return 1
    [ "$first" = "$second" ] && [ "$second" = "$third" ] &&
        grep -q '^ *3 "standing":"alive"$' <<<"$first"
}

cat >"$folder/common.toml" <<'TOML'
admission = "open"
node.cluster = "three-nodes"
node.preset = "local"
TOML

configure one <<'TOML'
listen = ["tcp://127.0.0.1:0"]
TOML
start one
await "node one listens" says one '^listening on tcp://'
port=$(sed -n 's/^listening on tcp:.*:\([0-9]*\)$/\1/p' "$folder/one.out")

configure two <<TOML
listen = ["quic://127.0.0.1:0"]
join = ["tcp://localhost:$port"]
TOML
configure three <<TOML
listen = ["unix://$folder/three.sock", "udp://127.0.0.1:0"]
join = ["tcp://localhost:$port"]
TOML
start two
start three
await "node two has joined" says two '^ready$'
await "node three has joined" says three '^ready$'
await "all agree on who is there" agree

"$program" broadcast 'the kettle is on' --admin "$folder/one.admin" >/dev/null
await "node two hears the rumor" says two '^rumor from node1[a-z0-9]*: "the kettle is on"$'
await "node three hears the rumor" says three '^rumor from node1[a-z0-9]*: "the kettle is on"$'
"$program" broadcast 'tea is ready' --admin "$folder/three.admin" >/dev/null
await "node one hears the rumor" says one ': "tea is ready"$'
await "node two hears that rumor" says two ': "tea is ready"$'

for name in three two one; do
    kill -TERM "${process[$name]}"
    wait "${process[$name]}" || fail "node $name ended with $?"
done
says one '^left node1[a-z0-9]* "three"$' && says one '^left node1[a-z0-9]* "two"$' ||
    fail "node one was not told goodbye"
left=$(find "$folder" -type s)
[ -z "$left" ] || fail "sockets are left: $left"
echo "three nodes agreed, heard each other, and left"
