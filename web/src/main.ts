import { mount } from 'svelte';
import './style.css';
import App from './App.svelte';

// The shell is kept so that the page opens without the server and says so; browsers allow it in a secure context only.
if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  void navigator.serviceWorker.register('/sw.js').catch(() => undefined);
}

const target = document.getElementById('page');
if (target) mount(App, { target });
