//! Imports go down only, between folders and between files.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of `src`, the lowest first. A folder imports from those on the lines above it.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["huawei", "session", "simulation", "platform", "telemetry"],
    &["store"],
    &["access"],
    &["registry"],
    &["reconciler"],
    &["event_log"],
    &["rejection", "query", "report"],
    &["delivery", "polling"],
    &["config"],
    &["api"],
    &["app"],
    &["http"],
    &["dashboard"],
    &["service", "demo"],
    &["cli"],
];

/// How many files may import one another in a circle, within a folder.
const MAX_CIRCLE: usize = 5;

/// A module by its path, such as `["http", "reports", "sealed"]`.
type Module = Vec<String>;

struct Sources(BTreeMap<Module, String>);

impl Sources {
    fn read() -> Self {
        let mut sources = Self(BTreeMap::new());
        sources.read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[]);
        sources
    }

    fn read_folder(&mut self, folder: &Path, module: &[String]) {
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let child = [module, std::slice::from_ref(&name)].concat();
            if path.is_dir() {
                self.read_folder(&path, &child);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests" {
                let own = if ["mod", "lib", "main"].contains(&name.as_str()) { module.to_vec() } else { child };
                self.0.insert(own, code_of(&fs::read_to_string(&path).unwrap()));
            }
        }
    }

    /// The module of ours that a path leads to or into.
    fn resolve(&self, path: &[String]) -> Option<&Module> {
        (1..=path.len()).rev().find_map(|length| self.0.get_key_value(&path[..length]).map(|(module, _)| module))
    }

    /// What each module imports.
    fn imports(&self) -> BTreeMap<&Module, BTreeSet<&Module>> {
        let imports_of = |module: &Module, code: &str| {
            let paths = paths_in(module, code).into_iter();
            paths.filter_map(|path| self.resolve(&path)).filter(|imported| *imported != module).collect()
        };
        self.0.iter().map(|(module, code)| (module, imports_of(module, code))).collect()
    }
}

/// A file's code without comments and unit tests.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The absolute paths that stand in a module's code after `crate::` and `super::`.
fn paths_in(module: &Module, code: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for (root, keyword) in [(&[][..], "crate::"), (&module[..module.len().saturating_sub(1)], "super::")] {
        for (at, _) in code.match_indices(keyword) {
            let is_whole_word =
                !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == ':');
            if is_whole_word {
                follow(root, &code[at + keyword.len()..], &mut paths);
            }
        }
    }
    paths
}

fn follow(path: &[String], rest: &str, paths: &mut Vec<Module>) {
    if let Some(list) = rest.strip_prefix('{') {
        let list = list.split_once('}').map_or(list, |(list, _)| list);
        for item in list.split(',') {
            follow(path, item.trim(), paths);
        }
        return;
    }
    let name: String = rest.chars().take_while(|char| char.is_alphanumeric() || *char == '_').collect();
    let rest = &rest[name.len()..];
    let path = match name.as_str() {
        "super" => path[..path.len().saturating_sub(1)].to_vec(),
        "" | "self" => path.to_vec(),
        _ => [path, &[name]].concat(),
    };
    match rest.strip_prefix("::") {
        Some(rest) => follow(&path, rest, paths),
        None => paths.push(path),
    }
}

/// How high a folder is.
fn layer_of(folder: &str) -> usize {
    let layer = LAYERS.iter().position(|layer| layer.contains(&folder));
    layer.unwrap_or_else(|| panic!("src/{folder} is in no layer: enter it in tests/architecture.rs"))
}

/// The modules that one can get to from a module along imports.
fn reachable<'a>(imports: &BTreeMap<&'a Module, BTreeSet<&'a Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for imported in &imports[module] {
            if seen.insert(*imported) {
                open.push(imported);
            }
        }
    }
    seen
}

#[test]
fn folders_import_from_lower_layers_alone() {
    let sources = Sources::read();
    let mut upward = Vec::new();
    for (module, imports) in sources.imports() {
        let Some(folder) = module.first() else { continue };
        for imported in imports.into_iter().filter(|imported| !imported.is_empty() && imported[0] != *folder) {
            if layer_of(&imported[0]) >= layer_of(folder) {
                upward.push(format!("{} imports {}", module.join("::"), imported.join("::")));
            }
        }
    }
    assert!(upward.is_empty(), "against the direction of imports:\n{}", upward.join("\n"));
}

#[test]
fn circles_of_imports_are_small_and_stay_in_one_folder() {
    let sources = Sources::read();
    let imports = sources.imports();
    for module in imports.keys().filter(|module| !module.is_empty()) {
        let there = reachable(&imports, module);
        let circle: Vec<_> = there.iter().filter(|other| reachable(&imports, other).contains(module)).collect();
        let names: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
        assert!(circle.len() <= MAX_CIRCLE, "these import one another in a circle: {}", names.join(", "));
        assert!(circle.iter().all(|other| other[0] == module[0]), "a circle crosses folders: {}", names.join(", "));
    }
}
