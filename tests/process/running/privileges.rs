//! Root in a folder of another user, who may put links there: nothing of root's is read, changed or given away.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    path::{Path, PathBuf},
};

use test_support::home::{Home, User, finish, is_root, owner_of, set_mode};

/// What only root may read, and would be a master key.
const SECRET: &str = "c2VjcmV0LWtleS1vZi10aGlydHktdHdvLWJ5dGVzISE=\n";

/// A folder of another user, to which root comes, and a file of root's.
struct Scene {
    ordinary: Home,
    root: Home,
    folder: PathBuf,
    secret: PathBuf,
}

impl Scene {
    /// `None` where the tests are not run by root.
    fn new() -> Option<Self> {
        if !is_root() {
            return None;
        }
        let (ordinary, root) = (Home::new(User::Ordinary), Home::new(User::Ourselves));
        let folder = ordinary.make_folder("theirs");
        let secret = root.path().join("secret");
        fs::write(&secret, SECRET).unwrap();
        set_mode(&secret, 0o600);
        Some(Self { ordinary, root, folder, secret })
    }

    /// Root runs a command on the folder.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = self.root.program();
        finish(command.args(arguments).env("STREAMTALLY_DATA_DIR", &self.folder))
    }

    fn assert_secret_is_untouched(&self) {
        assert_eq!(fs::read_to_string(&self.secret).unwrap(), SECRET);
        assert_eq!(owner_of(&self.secret), 0);
    }
}

/// Every file and folder in a folder.
fn everything_in(folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| if path.is_dir() { everything_in(&path) } else { Vec::new() };
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| [vec![path.clone()], below(path)].concat()).collect()
}

#[test]
fn root_does_not_write_through_links_of_the_folders_owner() {
    let Some(scene) = Scene::new() else { return };
    let own = std::process::id();
    let pids: u32 = fs::read_to_string("/proc/sys/kernel/pid_max").map_or(32_768, |pids| pids.trim().parse().unwrap());
    for pid in (own..own + 4_000).map(|pid| pid % pids) {
        symlink(&scene.secret, scene.folder.join(format!(".master-key.{pid}"))).unwrap();
    }
    let (status, printed) = scene.run(&["domain", "add", "push.example.com"]);
    assert_eq!(status, 0, "{printed}");
    scene.assert_secret_is_untouched();
    let made = everything_in(&scene.folder).into_iter().filter(|path| !path.is_symlink());
    let made: Vec<_> = made.map(|path| (fs::symlink_metadata(&path).unwrap().uid(), path)).collect();
    assert!(made.len() > 100 && made.iter().all(|(owner, _)| *owner == owner_of(&scene.folder)), "{made:?}");

    fs::remove_file(scene.folder.join("lock")).unwrap();
    symlink(&scene.secret, scene.folder.join("lock")).unwrap();
    let (status, printed) = scene.run(&["domain", "list"]);
    assert_eq!(status, 1, "{printed}");
    scene.assert_secret_is_untouched();
}

#[test]
fn root_does_not_read_through_links_of_the_folders_owner() {
    let Some(scene) = Scene::new() else { return };
    symlink(&scene.secret, scene.folder.join("master-key")).unwrap();
    let (status, printed) = scene.run(&["domain", "add", "push.example.com"]);
    assert_eq!(status, 1, "{printed}");
    let master_key = scene.folder.join("master-key").display().to_string();
    assert!(
        printed.contains(&format!("cannot use {master_key}")) && printed.contains("Permission denied"),
        "{printed}"
    );
    assert!(!printed.contains(SECRET.trim()), "{printed}");
}

#[test]
fn a_program_on_the_database_runs_as_root_and_what_starts_it_as_the_folders_owner() {
    let Some(scene) = Scene::new() else { return };
    let file = scene.root.path().join("file");
    let owner = owner_of(&scene.folder);
    // It starts a moment before the privileges are dropped again.
    let wait = format!("for n in $(seq 3000); do grep -q 'Uid:.{owner}' /proc/$PPID/status && break; sleep 0.01; done");
    let script = format!("{wait}; grep -E 'Uid:|Groups:' /proc/$PPID/status; id -u; touch {}", file.display());
    let (status, printed) = scene.run(&["database", "sh", "-c", &script]);
    assert_eq!((status, printed), (0, format!("Uid:\t{owner}\t{owner}\t0\t{owner}\nGroups:\t \n0\n")));
    assert_eq!(owner_of(&file), 0);
}

#[test]
fn a_service_of_root_is_for_good_the_user_who_owns_its_folder() {
    let Some(scene) = Scene::new() else { return };
    let service = scene.root.serve_in(&scene.folder);
    let status = fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let owner = owner_of(&scene.folder).to_string();
    for ids in ["Uid:", "Gid:"] {
        assert!(field(ids).split_whitespace().all(|id| id == owner), "{status}");
    }
    assert_eq!(field("Groups:"), "", "{status}");
    assert_eq!(field("CapPrm:").trim_start_matches('0'), "", "{status}");
    service.stop();
}

#[test]
fn a_folder_below_one_of_another_user_is_that_users() {
    let Some(mut scene) = Scene::new() else { return };
    let theirs = scene.folder.clone();
    scene.folder = theirs.join("data");
    let (status, printed) = scene.run(&["domain", "add", "push.example.com"]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(owner_of(&scene.folder), owner_of(&theirs));
    let (status, printed) = scene.run(&["master-key", "rotate"]);
    assert_eq!(status, 0, "{printed}");
    assert_eq!(owner_of(&scene.folder.join("master-key")), owner_of(&theirs));

    // Root's own is not safe there: its name can be made to lead elsewhere.
    scene.folder = theirs.join("of-root");
    fs::create_dir(&scene.folder).unwrap();
    let (status, printed) = scene.run(&["domain", "add", "push.example.com"]);
    assert_eq!(status, 1, "{printed}");
    assert!(printed.contains("cannot write") && printed.contains("of-root"), "{printed}");
    chown(&scene.folder, Some(owner_of(&theirs)), None).unwrap();
    assert_eq!(scene.run(&["domain", "add", "push.example.com"]).0, 0);
    drop(scene.ordinary);
}
