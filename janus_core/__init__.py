"""What every other package of Janus may use. It imports none of them."""
