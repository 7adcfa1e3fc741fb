//! Who protects the database, and by which commands. Others are described to the drill by a file each.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use xshell::Shell;

use super::Setting;
use crate::peers::Peers;
use crate::programs::version;

/// One way to protect a database.
pub struct Contender {
    pub name: &'static str,
    /// Whether it is the project's own.
    pub is_ours: bool,
    pub version: String,
    /// What tells `drill run` and `drill up` of it.
    pub arguments: Vec<String>,
    /// What protects, and what restores, as the page shows it.
    pub shown: Vec<(&'static str, String)>,
}

/// What Litestream is told: its defaults, which ship each change within a second. It puts the paths in by itself.
const LITESTREAM_YML: &str = "dbs:\n  - path: ${DRILL_DATABASE}\n    replica:\n      path: ${DRILL_REPLICA}\n";

/// A copy at each interval, whatever comes of it, and the newest of them back.
const CP: [&str; 2] = [
    r#"cp "$DRILL_DATABASE" "$DRILL_REPLICA/app-$(date +%s).db" || true"#,
    r#"cp "$(ls -t "$DRILL_REPLICA"/*.db | head -n 1)" "$DRILL_DATABASE""#,
];

/// The same for a database whose newest changes are in its `-wal` file.
const CP_WITH_WAL: [&str; 2] = [
    r#"new="$DRILL_REPLICA/app-$(date +%s).db"; cp "$DRILL_DATABASE" "$new" && cp "$DRILL_DATABASE-wal" "$new-wal" || true"#,
    r#"new="$(ls -t "$DRILL_REPLICA"/*.db | head -n 1)"; cp "$new" "$DRILL_DATABASE" && cp "$new-wal" "$DRILL_DATABASE-wal""#,
];

/// All that can be had here.
pub fn all(sh: &Shell, setting: &Setting, peers: &Peers) -> Result<Vec<Contender>> {
    let version =
        |program: &Path, question| version(sh, program, question).unwrap_or_else(|| "version unknown".to_owned());
    let cp = version(Path::new("cp"), "--version");
    let mut all = vec![
        foreign(sh, setting, "cp of the database", "cp", cp.clone(), &copying(CP))?,
        foreign(sh, setting, "cp of it and its -wal", "cp-with-wal", cp, &copying(CP_WITH_WAL))?,
    ];
    if let Some(litestream) = peers.program("litestream") {
        let (config, said) = (setting.output.join("litestream.yml"), version(&litestream, "version"));
        sh.write_file(&config, LITESTREAM_YML)?;
        let protector = json!({
            "beside": [litestream, "replicate", "-config", config],
            "restore": [litestream, "restore", "-config", config, "{database}"],
            // As its documentation asks of a service with many writes.
            "service": ["--wal-autocheckpoint", "0"],
        });
        let mut contender = foreign(sh, setting, "Litestream", "litestream", format!("litestream {said}"), &protector)?;
        contender.shown.push(("litestream.yml", LITESTREAM_YML.trim_end().to_owned()));
        all.push(contender);
    }
    all.extend(ours(&version(&setting.programs.path("backup"), "--version")));
    Ok(all)
}

/// `sh` is what a CronJob of the workshop has.
fn copying([each, restore]: [&str; 2]) -> Value {
    json!({"each": ["sh", "-c", each], "restore": ["sh", "-c", restore]})
}

fn ours(version: &str) -> [Contender; 2] {
    let restore = "backup restore --latest --lineage LINEAGE --database app.db --repository pra-backup".to_owned();
    let take = "backup take --keep-last 20 --keep-hourly 24 --database app.db --repository pra-backup".to_owned();
    let shown = vec![("at each interval", take), ("restore", restore)];
    let sync = ("the service", "app --protect sync --repository pra-backup --database app.db".to_owned());
    let contender = |name, arguments: &[&str], shown| Contender {
        name,
        is_ours: true,
        version: version.to_owned(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        shown,
    };
    [
        contender("restore points", &[], shown.clone()),
        contender("--protect sync", &["--protect", "sync"], [vec![sync], shown].concat()),
    ]
}

/// Writes down what the drill has to know of it.
fn foreign(
    sh: &Shell,
    setting: &Setting,
    name: &'static str,
    file: &str,
    version: String,
    protector: &Value,
) -> Result<Contender> {
    let mut described = protector.clone();
    described["name"] = name.into();
    let file = setting.output.join(format!("{file}.json"));
    sh.write_file(&file, format!("{described:#}\n"))?;
    let steps = [("beside", "beside the service"), ("each", "at each interval"), ("restore", "restore")];
    let mut shown: Vec<_> =
        steps.into_iter().filter_map(|(key, title)| Some((title, typed(protector.get(key)?, setting)))).collect();
    let asked = protector.get("service").map(|options| ("the service", format!("app {}", typed(options, setting))));
    shown.extend(asked);
    let arguments = vec!["--protector".to_owned(), file.to_string_lossy().into_owned()];
    Ok(Contender { name, is_ours: false, version, arguments, shown })
}

/// A command as it is typed; without the directories of this machine, and of a script the text.
fn typed(words: &Value, setting: &Setting) -> String {
    let words: Vec<&str> = words.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if let ["sh", "-c", script] = words[..] {
        return script.to_owned();
    }
    let output = setting.output.to_string_lossy();
    let bare = |word: &&str| match Path::new(word) {
        path if path.is_absolute() && !path.starts_with(&*output) => {
            path.file_name().map_or_else(|| (*word).to_owned(), |name| name.to_string_lossy().into_owned())
        }
        _ => word.replace(&format!("{output}/"), ""),
    };
    words.iter().map(bare).collect::<Vec<_>>().join(" ")
}
