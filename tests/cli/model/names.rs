//! Removing and renaming remotes.

use super::commands::{DONE, FAILED, Model};
use super::layers::{Entry, Layer};
use super::step::ROOT;
use apptainer_remote::persona::Persona;

impl Model {
    pub(super) fn remove(&mut self, who: usize, global: bool, name: &str) -> i32 {
        let gone = |layer: &mut Layer| {
            layer.remotes.remove(name);
            if layer.active == name {
                layer.active.clear();
            }
        };
        let in_global = self.global().remotes.contains_key(name);
        if global {
            if who != ROOT || !in_global {
                return FAILED;
            }
            self.write_global(gone);
            return DONE;
        }
        match self.user(who).remotes.get(name) {
            Some(entry) if !(entry.system && in_global) => {
                self.write_user(who, gone);
                DONE
            }
            _ => FAILED,
        }
    }

    pub(super) fn rename(&mut self, who: usize, global: bool, old: &str, new: &str) -> i32 {
        let renamed = |layer: &mut Layer| {
            let entry = layer.remotes.remove(old).unwrap();
            layer.remotes.insert(new.into(), entry);
            if layer.active == old {
                layer.active = new.into();
            }
        };
        let in_global = |name: &str| self.global().remotes.contains_key(name);
        if global {
            if who != ROOT || !in_global(old) || in_global(new) {
                return FAILED;
            }
            self.write_global(renamed);
            return DONE;
        }
        let layer = self.user(who);
        let theirs = layer.remotes.get(old).is_some_and(|entry| !(entry.system && in_global(old)));
        let copy = |entry: &Entry| entry.system && in_global(new) && entry.token.is_none();
        let free = layer.remotes.get(new).is_none_or(copy);
        if !theirs || !free || self.persona == Persona::Singularity && in_global(new) {
            return FAILED;
        }
        self.write_user(who, |layer| {
            renamed(layer);
            layer.remotes.get_mut(new).unwrap().system = false;
        });
        DONE
    }
}
