//! What a stranger's word can and cannot make this node dial.

use rumormill_transport_api::Error;

use super::*;

const PIPE: Caps = Caps { local_only: true, ..Caps::STREAM };

fn judge(reach: &Reach, addr: &str, caps: &Caps) -> Result<(), Unallowed> {
    reach.allows(&addr.parse().unwrap_or_else(|error| panic!("{addr}: {error}")), caps)
}

/// What the setting is called that the refusal names, or nothing if it is allowed.
#[track_caller]
fn check(reach: &Reach, addr: &str, caps: &Caps, setting: &str) {
    let found = match judge(reach, addr, caps) {
        Ok(()) => "",
        Err(Unallowed::Denied { .. }) => "denied",
        Err(Unallowed::Directory) => "directories",
        Err(Unallowed::Local) => "local",
        Err(Unallowed::Loopback { .. }) => "loopback",
        Err(Unallowed::Malformed { .. }) => "malformed",
        Err(Unallowed::Name) => "names",
        Err(Unallowed::Network { .. }) => "networks",
        Err(Unallowed::Options) => "options",
        Err(Unallowed::Scheme { .. }) => "schemes",
        Err(Unallowed::Scope) => "scope",
    };
    assert_eq!(found, setting, "{addr}");
}

fn networks(list: &[&str]) -> Vec<IpNetwork> {
    list.iter().map(|network| network.parse().unwrap()).collect()
}

/// All ways to write an IPv4 address that lead there, or may.
fn dresses(ip: &str) -> Vec<String> {
    let bits = ip.parse::<Ipv4Addr>().unwrap().to_bits();
    let (high, low) = (bits >> 16, bits & 0xffff);
    let (not_high, not_low) = (high ^ 0xffff, low ^ 0xffff);
    vec![
        format!("tcp://{ip}:80"),
        format!("tcp://[::ffff:{ip}]:80"),
        format!("tcp://[::ffff:{high:x}:{low:x}]:80"),
        format!("tcp://[0:0:0:0:0:FFFF:{high:x}:{low:x}]:80"),
        format!("tcp://[::{ip}]:80"),
        format!("tcp://[::ffff:0:{ip}]:80"),
        format!("tcp://[64:ff9b::{ip}]:80"),
        format!("tcp://[64:ff9b::{high:x}:{low:x}]:80"),
        format!("tcp://[64:ff9b:1::{ip}]:80"),
        format!("tcp://[2002:{high:x}:{low:x}::]:80"),
        format!("tcp://[2002:{high:x}:{low:x}:1:2:3:4:5]:80"),
        format!("tcp://[2001:0:1:2:3:4:{not_high:x}:{not_low:x}]:80"),
        format!("tcp://[2001:db8::5efe:{high:x}:{low:x}]:80"),
        format!("tcp://[2001:db8::200:5efe:{high:x}:{low:x}]:80"),
    ]
}

#[test]
fn addresses_of_networks_are_allowed() {
    let reach = Reach::default();
    for host in ["192.0.2.1", "10.0.0.1", "100.64.0.1", "[2001:db8::1]", "[fd00::1]", "1.0.0.0"] {
        for scheme in ["tcp", "udp", "quic", "a.plug-in"] {
            check(&reach, &format!("{scheme}://{host}:7946"), &Caps::STREAM, "");
            check(&reach, &format!("{scheme}://{host}:7946"), &Caps::DATAGRAM, "");
        }
    }
}

#[test]
fn what_is_no_peers_own_address_is_denied() {
    let reach = Reach::default();
    for host in [
        "0.0.0.0",
        "0.1.2.3",
        "[::]",
        "255.255.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "[ff02::1]",
        "[ff05::2]",
        "169.254.169.254",
        "169.254.0.1",
        "169.254.255.255",
        "[fe80::1]",
        "[febf::1]",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "168.63.129.16",
        "100.100.100.200",
        "192.0.0.192",
    ] {
        check(&reach, &format!("tcp://{host}:80"), &Caps::STREAM, "denied");
        check(&reach, &format!("udp://{host}:80"), &Caps::DATAGRAM, "denied");
        let everything = networks(&["0.0.0.0/0", "::/0"]);
        let open = Reach { networks: everything, loopback: true, ..Reach::default() };
        check(&open, &format!("tcp://{host}:80"), &Caps::STREAM, "denied");
    }
}

#[test]
fn a_denied_address_slips_through_in_no_dress() {
    let own = Reach { denied: networks(&["10.0.0.0/8", "64:ff9b:1::/48"]), ..Reach::default() };
    for (reach, ip) in [
        (Reach::default(), "169.254.169.254"),
        (Reach::default(), "255.255.255.255"),
        (Reach::default(), "0.0.0.0"),
        (Reach { loopback: true, ..Reach::default() }, "224.0.0.251"),
        (own, "10.1.2.3"),
    ] {
        for addr in dresses(ip) {
            check(&reach, &addr, &Caps::STREAM, "denied");
        }
    }
}

#[test]
fn an_embedded_address_that_is_not_denied_does_no_harm() {
    let reach = Reach { denied: Vec::new(), ..Reach::default() };
    for addr in dresses("192.0.2.1") {
        check(&reach, &addr, &Caps::STREAM, "");
    }
}

#[test]
fn the_loopback_is_allowed_only_by_its_own_setting() {
    let (closed, open) = (Reach::default(), Reach { loopback: true, ..Reach::default() });
    for host in ["127.0.0.1", "127.255.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"] {
        let addr = format!("tcp://{host}:80");
        check(&closed, &addr, &Caps::STREAM, "loopback");
        check(&open, &addr, &Caps::STREAM, "");
        let elsewhere = Reach { networks: networks(&["10.0.0.0/8"]), ..open.clone() };
        check(&elsewhere, &addr, &Caps::STREAM, "");
        let listed = Reach { networks: networks(&["127.0.0.0/8", "::1/128"]), ..closed.clone() };
        check(&listed, &addr, &Caps::STREAM, "loopback");
        let denied = Reach { denied: networks(&["127.0.0.0/8", "::1/128"]), ..open.clone() };
        check(&denied, &addr, &Caps::STREAM, "denied");
    }
    let denied = networks(&[]);
    for addr in dresses("127.0.0.1") {
        let closed = Reach { denied: denied.clone(), ..closed.clone() };
        check(
            &closed,
            &addr,
            &Caps::STREAM,
            if addr.contains("64:ff9b:1:") { "" } else { "loopback" },
        );
    }
    // Translated elsewhere, it is no loopback of ours.
    let inside = Reach { networks: networks(&["10.0.0.0/8"]), ..open };
    check(&inside, "tcp://[2002:7f00:1::1]:80", &Caps::STREAM, "networks");
}

#[test]
fn only_listed_networks_are_allowed_if_there_is_a_list() {
    let reach = Reach { networks: networks(&["10.0.0.0/8", "fd00::/16"]), ..Reach::default() };
    for (host, setting) in [
        ("10.1.2.3", ""),
        ("[::ffff:10.1.2.3]", ""),
        ("11.0.0.1", "networks"),
        ("[fd00::1]", ""),
        ("[fd01::1]", "networks"),
        ("[64:ff9b::10.1.2.3]", "networks"),
        ("[2002:a01:203::1]", "networks"),
        ("[::10.1.2.3]", "networks"),
        ("169.254.169.254", "denied"),
        ("[fd00:ec2::254]", "denied"),
    ] {
        check(&reach, &format!("tcp://{host}:80"), &Caps::STREAM, setting);
    }
}

#[test]
fn only_listed_schemes_are_allowed_if_there_is_a_list() {
    let schemes = |list: &[&str]| Some(list.iter().map(|scheme| (*scheme).into()).collect());
    let reach = Reach { schemes: schemes(&["tls", "quic"]), ..Reach::default() };
    check(&reach, "tls://192.0.2.1:80", &Caps::STREAM, "");
    check(&reach, "tcp://192.0.2.1:80", &Caps::STREAM, "schemes");
    check(&reach, "unix:///run/docker.sock", &PIPE, "schemes");
    let nothing = Reach { schemes: schemes(&[]), ..Reach::default() };
    check(&nothing, "tls://192.0.2.1:80", &Caps::STREAM, "schemes");
}

#[test]
fn names_are_allowed_only_by_their_own_setting() {
    let (closed, open) = (Reach::default(), Reach { names: true, ..Reach::default() });
    for name in ["example.org", "localhost", "a.LocalHost.", "metadata.google.internal", "a"] {
        check(&closed, &format!("tcp://{name}:80"), &Caps::STREAM, "names");
    }
    check(&open, "tcp://example.org:80", &Caps::STREAM, "");
    check(&open, "tcp://localhost.example.org:80", &Caps::STREAM, "");
    for name in ["localhost", "LOCALHOST", "localhost.", "a.b.localhost"] {
        let addr = format!("tcp://{name}:80");
        check(&open, &addr, &Caps::STREAM, "loopback");
        let both = Reach { loopback: true, ..open.clone() };
        check(&both, &addr, &Caps::STREAM, "");
    }
}

#[test]
fn what_cannot_be_judged_is_refused_whatever_is_set() {
    let reach = Reach {
        denied: Vec::new(),
        directories: vec!["/".into()],
        local: true,
        loopback: true,
        names: true,
        ..Reach::default()
    };
    for rest in [
        "",
        "192.0.2.1",
        "192.0.2.1:0",
        "[2001:db8::1]:0",
        "example.org:0",
        "192.0.2.1:+80",
        "192.0.2.1:65536",
        "2130706433:80",
        "0x7f000001:80",
        "0x7f.1:80",
        "127.1:80",
        "0177.0.0.1:80",
        "192.0.2.01:80",
        "::1:80",
        "[::1%25lo]:80",
        "[127.0.0.1]:80",
        "user@192.0.2.1:80",
        "192.0.2.1:80/path",
        "/run/docker.sock",
        "192.0.2.1%20:80",
    ] {
        check(&reach, &format!("tcp://{rest}"), &Caps::STREAM, "malformed");
    }
    check(&reach, "tcp://[2001:db8::1%251]:80", &Caps::STREAM, "scope");
    check(&reach, "tcp://192.0.2.1:80?nodelay=false", &Caps::STREAM, "options");
    check(&reach, "unix:///run/app/a.sock?mode=0666", &PIPE, "options");
}

#[test]
fn sockets_are_allowed_in_listed_directories_alone() {
    let directories = |list: &[&str]| Reach {
        directories: list.iter().map(PathBuf::from).collect(),
        ..Reach::default()
    };
    check(&Reach::default(), "unix:///run/docker.sock", &PIPE, "directories");
    let reach = directories(&["/run/app", "/srv/./b/", "run", "", ".", "/var/../etc"]);
    for (path, setting) in [
        ("/run/app/a.sock", ""),
        ("/run/app/below/a.sock", ""),
        ("//run//app/./a.sock", ""),
        ("/srv/b/a", ""),
        ("/run/app/%20", ""),
        ("/run/app", "directories"),
        ("/run/app/", "directories"),
        ("/run/app/.", "directories"),
        ("/run/application/a.sock", "directories"),
        ("/run/app.sock", "directories"),
        ("/run/app/../docker.sock", "directories"),
        ("/run/app/%2e%2e/docker.sock", "directories"),
        ("/run/app%2f..%2fdocker.sock", "directories"),
        ("/run/other/../app/a.sock", "directories"),
        ("/RUN/app/a.sock", "directories"),
        ("/etc/a.sock", "directories"),
        ("/var/../etc/a.sock", "directories"),
        ("run/a.sock", "directories"),
        ("./run/a.sock", "directories"),
        ("../run/app/a.sock", "directories"),
        ("@/run/app/a.sock", "directories"),
        ("\\\\.\\pipe\\a", "directories"),
        ("a.sock", "local"),
        ("", "local"),
    ] {
        check(&reach, &format!("unix://{path}"), &PIPE, setting);
    }
    check(&directories(&["/"]), "unix:///run/docker.sock", &PIPE, "");
    // A path means something only to a carrier that stays here.
    check(&reach, "unix:///run/app/a.sock", &Caps::STREAM, "malformed");
}

#[test]
fn names_of_this_machine_are_allowed_only_by_their_own_setting() {
    let (closed, open) = (Reach::default(), Reach { local: true, ..Reach::default() });
    for name in ["mem://a", "mem://a:1", "mem://", "mem://127.0.0.1:80"] {
        check(&closed, name, &PIPE, "local");
        check(&open, name, &PIPE, "");
    }
    for path in ["unix:///run/docker.sock", "unix://@abstract", "unix://a/b", "unix://..%5ca"] {
        check(&open, path, &PIPE, "directories");
    }
}

#[test]
fn a_refusal_names_its_setting_and_repeats_nothing_unescaped() {
    let reach = Reach::default();
    for (addr, caps, setting) in [
        ("tcp://169.254.1.1:80", Caps::STREAM, "`denied`"),
        ("unix:///a/b", PIPE, "`directories`"),
        ("mem://a", PIPE, "`local`"),
        ("tcp://[::1]:80", Caps::STREAM, "`loopback`"),
        ("tcp://example.org:80", Caps::STREAM, "`names`"),
        ("tcp://192.0.2.1:80?a=b", Caps::STREAM, "`without_options`"),
    ] {
        let error = judge(&reach, addr, &caps).unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    }
    let malformed = judge(&reach, "tcp://\u{202e}\u{e000}:80", &Caps::STREAM);
    let Err(Unallowed::Malformed { source: source @ Error::Address { .. } }) = malformed else {
        panic!("{malformed:?}");
    };
    assert!(source.to_string().is_ascii(), "{source}");
}
