//! What servers and clients do alike: templates and invitations on standard input.

use std::io::Read as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use tacita_identity::{Invitation, Role};

use crate::output::usage;

/// Longest invitation read from standard input.
const MAX_INVITATION: u64 = 4096;

/// Unix seconds.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// Writes a template unless the file is there.
pub(crate) fn write_template(path: &Path, text: &str) -> anyhow::Result<()> {
    if path.exists() {
        Ok(())
    } else {
        write_public(path, text)
    }
}

/// Writes a public file.
pub(crate) fn write_public(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).with_context(|| format!("{}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("{}", path.display()))
}

/// Reads the invitation from standard input: never from an argument, which other users of the machine could see.
pub(crate) fn invitation(name: &str, role: Role) -> anyhow::Result<Invitation> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .take(MAX_INVITATION)
        .read_to_string(&mut text)
        .context("standard input")?;
    let invitation = Invitation::parse(text.trim())
        .map_err(|e| usage(format!("the invitation on standard input: {e}")))?;
    if invitation.name.as_str() != name || invitation.role != role {
        return Err(usage(format!(
            "the invitation is for '{}' as a {}, the configuration for '{name}' as a {role}",
            invitation.name, invitation.role
        )));
    }
    Ok(invitation)
}
