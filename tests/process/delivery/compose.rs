//! The role that `docker-compose.yml` makes, by a `PostgreSQL` as its image sets one up.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use test_support::home::{Bystander, Home, User, finish, free_port, program, wait_for};

const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// A new `PostgreSQL` of a superuser with this password: whoever gets to its socket is let in, by TCP the password is asked for.
struct NewPostgres {
    home: Home,
    folder: PathBuf,
    port: u16,
    _server: Bystander,
}

impl NewPostgres {
    fn start() -> Self {
        let home = Home::new(User::Ordinary);
        let (folder, port) = (home.make_folder("postgres"), free_port());
        let file = home.path().join("password");
        fs::write(&file, PASSWORD).unwrap();
        let data = folder.join("data");
        let mut initdb = home.as_user(program("initdb"));
        initdb
            .args(["-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "-D"])
            .arg(&data);
        let (status, printed) = finish(initdb.arg("--pwfile").arg(file));
        assert_eq!(status, 0, "{printed}");
        let mut postgres = home.as_user(program("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let server = Bystander::spawn(&mut postgres);
        let postgres = Self { home, folder, port, _server: server };
        wait_for("a server", || postgres.psql("postgres", "postgres", "select 1").0 == 0);
        postgres
    }

    /// A statement of a role, by TCP with the password.
    fn psql(&self, role: &str, database: &str, statement: &str) -> (i32, String) {
        let mut psql = Command::new(program("psql"));
        psql.env_clear().env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGPASSWORD", PASSWORD);
        finish(psql.args(["-XAtq", "-U", role, "-d", database, "-c", statement]))
    }

    /// What the image runs when its volume is new.
    fn set_up(&self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/create-role.sh");
        let mut command = Command::new("sh");
        command.arg(script).env("PGHOST", &self.folder).env("PGPORT", self.port.to_string());
        let (status, printed) = finish(command.env("POSTGRES_USER", "postgres").env("POSTGRES_PASSWORD", PASSWORD));
        assert_eq!((status, printed.as_str()), (0, ""));
    }
}

#[test]
fn the_services_role_owns_its_database_and_nobody_is_superuser_by_the_password() {
    let postgres = NewPostgres::start();
    postgres.set_up();
    let mut migrate = postgres.home.program();
    let port = postgres.port;
    migrate.env("DATABASE_URL", format!("postgres://streamtally:{PASSWORD}@127.0.0.1:{port}/streamtally"));
    let (status, printed) = finish(migrate.args(["migrate", "--data-dir"]).arg(postgres.home.data_dir()));
    assert_eq!(status, 0, "{printed}");
    let as_service = |statement: &str| postgres.psql("streamtally", "streamtally", statement);
    assert_eq!(as_service("select count(*) from installation"), (0, "1\n".to_owned()));
    let (status, printed) = as_service("select pg_read_file('/etc/hostname')");
    assert!(status != 0 && printed.contains("permission denied"), "{printed}");
    let (status, printed) = postgres.psql("postgres", "postgres", "select 1");
    assert!(status != 0 && printed.contains("password authentication failed"), "{printed}");
}
