"""Who is it? One file a kind of proof."""
