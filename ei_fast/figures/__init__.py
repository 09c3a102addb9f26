"""Pictures of reports and trajectories; nothing here calls ``plt.show()`` or changes a global style."""
