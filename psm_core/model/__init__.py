"""The skill of memory. It sees one turn, one cue, one pair at a time; never a store."""
