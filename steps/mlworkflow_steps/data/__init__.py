"""Tables: where they come from, how they are stored, divided and described."""
