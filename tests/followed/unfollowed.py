"""Remedies that no program can follow, and those that no test follows yet."""

UNFOLLOWABLE = {
    "Ended by {}; run again to go on.": (
        "It is said by a process that a signal ends; tests/cluster/test_slurm.py and test_killed.py run such again."
    ),
    "The file system of {} has no locks: see that no shard is run twice.": (
        "Only the user can see to that, on a file system without locks."
    ),
    "What was done is kept: run again, with processes=1 or more memory.": (
        "It takes a process that the system kills; tests/cluster/test_killed.py kills one and runs again."
    ),
    "The exact method is open to components with one input and to single edges. Use joint='auto'.": (
        "'exact' cannot be asked for: the method itself says so where it is not open, and the next one is taken."
    ),
    "Download that with git lfs pull in its repository.": "It takes a repository with Git LFS, and a server of it.",
    "Download the file itself, by the address behind its download button.": "It takes a web page that has the file.",
    "Upgrade ei_fast to read it.": "There is no newer version of this package to upgrade to.",
    "Train with strategy='ddp', or without the callback, and measure weights that were saved.": (
        "It takes a training in several processes; tests/callbacks/test_lightning.py trains with ddp."
    ),
    "Train without them, or without the callback, and measure weights that were saved.": (
        "It takes a training in several processes; tests/callbacks/test_transformers.py trains in one."
    ),
    "cannot be read without a backend of Keras, and neither {} is installed. Install the one that you use": (
        "A test cannot take a backend away from a process that has imported Keras, and then install it."
    ),
}
"""By a part of the message, why it is not followed."""

NOT_YET: tuple[str, ...] = ()
"""Parts of messages whose remedies no case follows yet: this list only gets shorter."""
