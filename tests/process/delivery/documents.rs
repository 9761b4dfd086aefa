//! The documents' commands, as a reader types them: each `sh` block of a chapter, in order, in one shell that stops at what
//! fails. `console` blocks show what is printed, and are not run.

use std::path::Path;
use std::process::Command;

use test_support::home::{Home, User, finish};
use test_support::service::Service;

/// The commands of a document, from a heading on.
fn commands_of(document: &str, from: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(from).unwrap();
    let (mut commands, mut in_block) = (String::new(), false);
    for line in text.lines() {
        match line.trim_start() {
            "```sh" => in_block = true,
            "```" => in_block = false,
            command if in_block => commands = format!("{commands}{command}\n"),
            _ => {}
        }
    }
    assert!(!in_block && !commands.is_empty(), "{document} has commands");
    commands
}

/// A reader types the next command when a change of domains and tokens is in effect, which the service promises within 2
/// seconds: it has cached the registry then.
const AT_A_READERS_PACE: &str = r#"
cached() { cksum "$STREAMTALLY_DATA_DIR/local-store/registry" 2>&1 || true; }
streamtally() {
  local before deadline=$((SECONDS + 3))
  before=$(cached)
  command streamtally "$@" || return
  case "$*" in
    'domain add '* | 'domain set '* | 'domain key '* | 'domain remove '* | 'token create '* | 'token revoke '*)
      until [[ "$(cached)" != "$before" || $SECONDS -ge $deadline ]]; do :; done ;;
  esac
}
"#;

/// A reader at a terminal, with a service that runs.
struct Reader {
    home: Home,
    service: Service,
}

impl Reader {
    fn new() -> Self {
        let home = Home::new(User::Ourselves);
        let service = home.serve();
        Self { home, service }
    }

    /// With a domain whose stream `room1` is live.
    fn with_a_stream() -> Self {
        let reader = Self::new();
        reader.run("domain add push.example.com");
        reader.run("send start --domain push.example.com --stream room1 --wait --url http://127.0.0.1:8080");
        reader
    }

    fn run(&self, command: &str) -> String {
        self.type_in(&format!("streamtally {command}"))
    }

    /// Types in commands; what they print.
    fn type_in(&self, commands: &str) -> String {
        let address = self.service.url().replace("http://", "");
        let data_dir = self.home.data_dir();
        let commands = commands
            .replace("127.0.0.1:8080", &address)
            .replace("/var/lib/streamtally", &data_dir.display().to_string())
            .replace("scripts/run ", "streamtally ");
        let program = self.home.program();
        let folders = [Path::new(program.get_program()).parent().unwrap().to_path_buf()];
        let path =
            std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
        let token = std::fs::read_to_string(data_dir.join("admin-token")).unwrap();
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &format!("{AT_A_READERS_PACE}{commands}")]).current_dir(self.home.path());
        shell.env("PATH", path.unwrap()).env("TOKEN", token.trim()).env_remove("DATABASE_URL");
        shell.env("STREAMTALLY_DATA_DIR", &data_dir).env("STREAMTALLY_LISTEN", &address);
        let (status, printed) = finish(&mut shell);
        assert_eq!(status, 0, "{commands}\n{printed}");
        printed
    }

    fn read(&self, document: &str, from: &str) -> String {
        self.type_in(&commands_of(document, from))
    }
}

#[test]
fn the_readme_asks_the_api() {
    let printed = Reader::with_a_stream().read("README.md", "## The API");
    assert!(printed.contains(r#""live_streams":1"#) && printed.contains(r#""stream":"room1""#), "{printed}");
}

#[test]
fn the_chapter_on_the_api_asks_it() {
    let printed = Reader::with_a_stream().read("docs/api.md", "# Using the API");
    assert!(printed.contains(r#""event":"PUBLISH""#), "{printed}");
}

#[test]
fn the_chapter_on_the_command_line_asks_the_service() {
    let printed = Reader::with_a_stream().read("docs/cli.md", "# The command line");
    assert!(printed.contains("OPERATOR_CONFIRMED is recorded") && printed.contains("stt_"), "{printed}");
}

#[test]
fn the_chapter_on_bills_closes_a_month() {
    let reader = Reader::with_a_stream();
    let printed = reader.read("docs/billing.md", "# Billing");
    assert!(printed.contains(r#""differences":0"#) || printed.contains(r#""data":[]"#), "{printed}");
    assert!(std::fs::read_to_string(reader.home.path().join("october.csv")).unwrap().starts_with("domain,app,"));
}

#[test]
fn the_chapter_on_security_changes_every_secret_and_releases_a_message() {
    let mut reader = Reader::with_a_stream();
    let secrets = |reader: &Reader| {
        ["master-key", "admin-token"].map(|name| std::fs::read_to_string(reader.home.data_dir().join(name)).unwrap())
    };
    let [old_key, old_token] = secrets(&reader);
    let long_ago = streamtally::platform::clock::now().timestamp() - 3 * 86_400;
    let send = "send start --domain push.example.com --stream room2 --url http://127.0.0.1:8080 --publish-timestamp";
    reader.run(&format!("{send} {long_ago}"));
    let before = reader.run("domain show push.example.com");
    reader.read("docs/security.md", "# Security");
    let after = reader.run("domain show push.example.com");
    assert!(before != after, "{after}");
    let [new_key, new_token] = secrets(&reader);
    assert!(old_key != new_key && old_token != new_token);
    let copied = ["master-key.old", "master-key.new"].map(|name| reader.home.path().join(name));
    assert_eq!(copied.map(|path| std::fs::read_to_string(path).unwrap()), [old_key, new_key]);
    reader.service.stop();
    reader.service = reader.home.serve();
    let url = format!("{}/v1/live", reader.service.url());
    let ask =
        format!("curl --silent --output /dev/null --write-out '%{{http_code}}' {url} --header 'Authorization: Bearer");
    assert_eq!([old_token, new_token].map(|token| reader.type_in(&format!("{ask} {}'", token.trim()))), ["401", "200"]);
    let commands = commands_of("docs/security.md", "## Secrets");
    let ask: Vec<_> = commands.lines().take(2).chain(["get '/v1/live'"]).collect();
    let live = reader.type_in(&ask.join("\n"));
    assert!(live.contains(r#""live_streams":2"#), "{live}");
}

#[test]
fn the_chapter_on_operations_sets_up_backs_up_restores_and_moves() {
    let reader = Reader::new();
    let printed = reader.read("docs/operations.md", "# Operations");
    assert!(printed.contains("the service is ready"), "{printed}");
    assert!(printed.contains("2 events imported"), "{printed}");
    assert_eq!(printed.matches("2 events folded: every row matches the log").count(), 2, "{printed}");
}
