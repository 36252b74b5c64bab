# The sample becomes the settings only where there are none yet; a package
# finds it among the documents in any case.
