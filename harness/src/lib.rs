//! The lab and the scenario runner of cdclab.
